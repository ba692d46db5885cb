/** One other server: how it is, and how it is asked. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useState, useSyncExternalStore } from "react";
import { run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { Button } from "@/parts/base/Button.tsx";
import button from "@/parts/base/Button.module.css";
import { Icon } from "@/parts/base/Icon.tsx";
import { Moment, number } from "@/parts/base/Moment.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { Verdict } from "@/parts/base/State.tsx";
import { Drawer, Facts } from "@/parts/drawer/Drawer.tsx";
import { current, FormContext, type FormState } from "@/parts/form/context.ts";
import { Form } from "@/parts/form/Form.tsx";
import type { ListModel } from "@/parts/list/model.ts";
import type { SettingsOf } from "@/screens/settings/useSettingsPage.ts";
import { fieldsOf, linkOf, moodOf, pathOfServer, reached, type ServerRow, type ShownCertificate } from "./server.ts";
import css from "./Servers.module.css";

interface Props {
  id: string;
  model: ListModel<ServerRow>;
  settings: SettingsOf;
  look: (name: string) => Promise<void>;
  looking: boolean;
  onClose: () => void;
}

export default function ServerDrawer({ id, model, settings, look, looking, onClose }: Props) {
  const { t } = useLingui();
  const view = useSyncExternalStore(model.subscribe, model.get);
  const row = view.rows.find((each) => each.name === id);
  const { state } = settings.form;
  const path = pathOfServer(id);
  const fields = fieldsOf(id, settings.fields);
  const typed = Object.keys(state.edits).some((each) => each.startsWith(path));
  const gone = state.edits[path] === null;
  const link = row ? linkOf(row.url) : "";
  const remove = () => {
    state.revert(Object.keys(state.edits).filter((each) => each.startsWith(`${path}/`)));
    if (Object.keys(state.values).some((each) => each.startsWith(path))) state.edit(path, null);
    else onClose();
  };
  return (
    <Drawer
      title={id}
      label={id}
      subtitle={row?.url}
      onClose={onClose}
      footer={
        <>
          {link && (
            <a href={link} target="_blank" rel="noopener noreferrer" className={button.button}>
              <Icon name="link" />
              <Trans>Open its console</Trans>
            </a>
          )}
          {row && (
            <Button
              icon="redo"
              busy={looking}
              disabledBecause={state.readOnly || (typed ? t`Save your changes first` : undefined)}
              onClick={() => void look(id)}
            >
              <Trans>Ask now</Trans>
            </Button>
          )}
          {!state.readOnly && !gone && (row || typed) && (
            <Button kind="danger" icon="trash" className="end" onClick={remove}>
              <Trans>Remove</Trans>
            </Button>
          )}
        </>
      }
    >
      {!row && !typed && view.state === "ready" ? (
        <Notice icon="server" title={<Trans>There is no such server.</Trans>} />
      ) : (
        <>
          {row && <How row={row} />}
          {!row && (
            <p className="muted">
              <Trans>
                On that server, make a token that may read its state: whimbrel admin token-create console --right
                server-read
              </Trans>
            </p>
          )}
          {gone ? (
            <p className={css.gone}>
              <Trans>It will be removed when you save.</Trans>{" "}
              <button type="button" className="link" onClick={() => state.revert([path])}>
                <Trans>Keep</Trans>
              </button>
            </p>
          ) : (
            settings.ready && (
              <>
                <h3>
                  <Trans>How it is asked</Trans>
                </h3>
                <FormContext value={state}>
                  <Form groups={[{ path, title: "", help: "", fields }]} />
                </FormContext>
                {!state.readOnly && <Certificate path={path} state={state} />}
              </>
            )
          )}
        </>
      )}
    </Drawer>
  );
}

function How({ row }: { row: ServerRow }) {
  const { t } = useLingui();
  const title =
    row.state === "ok"
      ? t`All is in order.`
      : row.state === "unknown"
        ? row.text || t`It was not asked yet.`
        : row.text;
  return (
    <>
      <Verdict mood={moodOf(row.state)} title={title || t`Health checks fail there: ${row.red}`} />
      {row.attention.length > 1 && (
        <ul className={css.attention}>
          {row.attention.slice(1).map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
      )}
      <Facts
        facts={[
          reached(row) && [t`Version`, row.version],
          reached(row) && [t`Queue`, t`${number(row.waiting)} waiting, ${number(row.held)} held`],
          reached(row) && [t`Checks that fail`, number(row.red)],
          [t`Since`, <Moment key="since" at={row.since} />],
          [t`Last look`, <Moment key="looked" at={row.looked} />],
        ]}
      />
    </>
  );
}

/** What the server shows now, so that it can be compared and set. */
function Certificate({ path, state }: { path: string; state: FormState }) {
  const { t } = useLingui();
  const [shown, setShown] = useState<ShownCertificate | null>(null);
  const [busy, setBusy] = useState(false);
  const url = String(current(state, `${path}/url`, "") ?? "");
  const set = String(current(state, `${path}/fingerprint`, "") ?? "");
  const same = shown && set.replaceAll(":", "").toLowerCase() === shown.fingerprint.replaceAll(":", "").toLowerCase();
  const look = async () => {
    setBusy(true);
    try {
      setShown((await run<ShownCertificate>("server", "certificate", { url })).result);
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), "failed");
    }
    setBusy(false);
  };
  return (
    <div className={css.certificate}>
      <Button
        small
        icon="shield"
        busy={busy}
        disabledBecause={linkOf(url) ? undefined : t`Write its address first`}
        onClick={() => void look()}
      >
        <Trans>Show its certificate</Trans>
      </Button>
      {shown && (
        <div role="status">
          <p>
            {shown.verified ? (
              <span className="ok">
                <Icon name="ok" /> <Trans>An authority vouches for it: no fingerprint is needed.</Trans>
              </span>
            ) : (
              <span className="warn">
                <Icon name="warn" />{" "}
                <Trans>No authority vouches for it: compare the fingerprint with what its administrator sees.</Trans>
              </span>
            )}
          </p>
          <code>{shown.fingerprint}</code>
          <p className="muted">
            <Trans>
              For {shown.names}, until <Moment at={shown.until} />
            </Trans>
          </p>
          {same ? (
            <p className="ok">
              <Trans>It is the one that is set.</Trans>
            </p>
          ) : (
            <Button small icon="check" onClick={() => state.edit(`${path}/fingerprint`, shown.fingerprint)}>
              <Trans>Take this fingerprint</Trans>
            </Button>
          )}
        </div>
      )}
    </div>
  );
}
