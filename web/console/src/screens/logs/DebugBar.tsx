/** What the debug log tells about now, and for how long: it falls silent by itself. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Popover } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { useSchema } from "@/api/schema.ts";
import { me, mayChange } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Button } from "@/parts/base/Button.tsx";
import css from "./Logs.module.css";

interface Done {
  text?: string;
}

export function DebugBar() {
  const { t } = useLingui();
  const may = mayChange(useStore(me), "server");
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [lasting, setLasting] = useState("1h");
  const [opened, setOpened] = useState(false);
  const categories = useCategories();
  const { data, refetch } = useQuery({
    queryKey: ["log", "level"],
    enabled: may,
    queryFn: async () => (await run<Done>("log", "level", {})).result.text ?? "",
    retry: false,
  });
  const set = async (body: object) => {
    setOpened(false);
    try {
      await run("log", "level", body);
    } catch (error) {
      toast(t`The debug log stays as it is: ${error instanceof Error ? error.message : ""}`, "failed");
    }
    void refetch();
  };
  if (!may) return null;
  const off = !data || data.endsWith("is off") || data.includes(" told ");
  return (
    <div className={css.debug}>
      <span className="ellipsis">{data}</span>
      <Popover opened={opened} onChange={setOpened} position="bottom-end" trapFocus>
        <Popover.Target>
          <Button small icon="bug" onClick={() => setOpened(!opened)}>
            <Trans>Tell about…</Trans>
          </Button>
        </Popover.Target>
        <Popover.Dropdown className={css.popover}>
          <fieldset className={css.categories}>
            <legend>
              <Trans>Tell about</Trans>
            </legend>
            {categories.map((name) => (
              <label key={name} className="check">
                <input
                  type="checkbox"
                  checked={chosen.includes(name)}
                  onChange={(event) =>
                    setChosen(event.target.checked ? [...chosen, name] : chosen.filter((each) => each !== name))
                  }
                />
                {name}
              </label>
            ))}
          </fieldset>
          <div className={css.quick}>
            <select
              className="select"
              value={lasting}
              aria-label={t`For how long`}
              onChange={(event) => setLasting(event.target.value)}
            >
              <option value="10m">{t`for 10 minutes`}</option>
              <option value="1h">{t`for an hour`}</option>
              <option value="1d">{t`for a day`}</option>
            </select>
            <Button
              kind="primary"
              onClick={() => void set({ category: chosen, lasting })}
              disabledBecause={chosen.length ? undefined : t`Choose what it logs`}
            >
              <Trans>Switch on</Trans>
            </Button>
          </div>
        </Popover.Dropdown>
      </Popover>
      {!off && (
        <Button small icon="stop" onClick={() => void set({ off: true })}>
          <Trans>Switch off</Trans>
        </Button>
      )}
    </div>
  );
}

/** As the server declares them. */
function useCategories(): readonly string[] {
  const { data } = useSchema();
  const call = data?.calls.find((each) => each.noun === "log" && each.verb === "level");
  return (call?.parameters.properties?.category?.items?.enum ?? ["all"]).map(String);
}
