/** One event: what goes on, who was told, who is to be told from now on. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { useState, useSyncExternalStore } from "react";
import { run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Moment } from "@/parts/base/Moment.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { Verdict } from "@/parts/base/State.tsx";
import { Drawer, Facts } from "@/parts/drawer/Drawer.tsx";
import { FormContext } from "@/parts/form/context.ts";
import { Form } from "@/parts/form/Form.tsx";
import type { ListModel } from "@/parts/list/model.ts";
import type { SettingsOf } from "@/screens/settings/useSettingsPage.ts";
import { type AlertRow, fieldsOf, hasOwn } from "./alert.ts";

interface Props {
  id: string;
  model: ListModel<AlertRow>;
  settings: SettingsOf;
  onClose: () => void;
}

export default function AlertDrawer({ id, model, settings, onClose }: Props) {
  const { t } = useLingui();
  const view = useSyncExternalStore(model.subscribe, model.get);
  const row = view.rows.find((each) => each.event === id);
  const { form } = settings;
  if (!row) {
    return (
      <Drawer title={id} label={id} onClose={onClose}>
        {view.state === "ready" && <Notice icon="bell" title={<Trans>There is no such event.</Trans>} />}
      </Drawer>
    );
  }
  const own = hasOwn(id, form.state);
  const path = `alerts/event[${id}]`;
  const inFile = Object.keys(form.state.values).some((each) => each.startsWith(path));
  const asAll = () => {
    form.state.revert(Object.keys(form.state.edits).filter((each) => each.startsWith(path)));
    if (inFile) form.state.edit(path, null);
  };
  const fields = fieldsOf(id, settings.fields);
  return (
    <Drawer
      title={row.title}
      label={row.title}
      subtitle={<code>{row.event}</code>}
      onClose={onClose}
      footer={
        <Test
          row={row}
          readOnly={form.state.readOnly}
          unsaved={Object.keys(form.state.edits).length > 0}
          done={() => model.refresh()}
        />
      }
    >
      <Doing row={row} />
      <Facts
        facts={[
          [t`Who is told`, row.to.length ? row.to.join(", ") : t`nobody`],
          [t`Last sent`, <Moment key="sent" at={row.sent} />],
          row.error !== "" && [
            t`Last error`,
            <span key="error" className="error">
              {row.error}
            </span>,
          ],
          [
            t`Tells of`,
            row.checks.length ? (
              <span key="checks">
                {row.checks.map((check, at) => (
                  <span key={check}>
                    {at > 0 && ", "}
                    <Link to="/health" search={{ open: check } as never} className="link">
                      {check}
                    </Link>
                  </span>
                ))}
              </span>
            ) : (
              <Link key="log" to="/logs" search={{ log: "security" } as never} className="link">
                <Trans>the security log</Trans>
              </Link>
            ),
          ],
        ]}
      />
      <h3>
        <Trans>Others for this event</Trans>
      </h3>
      {settings.ready && (
        <FormContext value={form.state}>
          <Form groups={[{ path, title: "", help: "", fields }]} />
        </FormContext>
      )}
      {own && form.state.edits[path] !== null && !form.state.readOnly && (
        <Button small icon="undo" onClick={asAll}>
          <Trans>As for all events</Trans>
        </Button>
      )}
    </Drawer>
  );
}

function Doing({ row }: { row: AlertRow }) {
  const { t } = useLingui();
  if (row.state === "going on")
    return (
      <Verdict mood="warn" title={row.text || t`This alert is active.`}>
        <p className="muted">
          <Trans>
            Since <Moment at={row.since} />
          </Trans>
        </p>
      </Verdict>
    );
  if (row.state === "off") return <Verdict mood="warn" icon="bell" title={t`Nobody is told of it.`} />;
  return <Verdict mood="ok" title={t`No alert is active.`} />;
}

/** Sends a test, and says at once whether all have it. */
function Test({
  row,
  readOnly,
  unsaved,
  done,
}: {
  row: AlertRow;
  readOnly: string;
  unsaved: boolean;
  done: () => void;
}) {
  const { t } = useLingui();
  const [busy, setBusy] = useState(false);
  const because =
    readOnly ||
    (unsaved ? t`Save your changes first: the test goes to who is told now` : "") ||
    (row.to.length ? undefined : t`Nobody is told of it`);
  const test = async () => {
    setBusy(true);
    try {
      const { result } = await run<{ text: string; failed: readonly string[] }>("alert", "test", { event: row.event });
      toast(result.text, result.failed.length ? "failed" : "done");
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), "failed");
    }
    setBusy(false);
    done();
  };
  return (
    <Button icon="send" busy={busy} disabledBecause={because} onClick={() => void test()}>
      <Trans>Send a test</Trans>
    </Button>
  );
}
