/** Many users from a table: everything that is wrong with it is said before anything is done. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { ApiError } from "@shared/errors.ts";
import { type ChangeEvent, type DragEvent, useId, useState } from "react";
import { run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { Button } from "@/parts/base/Button.tsx";
import { octets } from "@/parts/base/Moment.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { Verdict } from "@/parts/base/State.tsx";
import { Drawer } from "@/parts/drawer/Drawer.tsx";
import { ConfirmWords } from "@/parts/form/ConfirmWords.tsx";
import css from "./Import.module.css";
import { faultsIn, type Imported, type LineFault, rowsOf, skippedIn } from "./table.ts";

/** More than the server takes. */
const MOST = 60 * 1024 * 1024;

interface Told {
  readonly result: Imported | null;
  readonly faults: readonly LineFault[];
  readonly more: number;
  readonly warnings: readonly string[];
}

export default function ImportUsers({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const { t } = useLingui();
  const id = useId();
  const [file, setFile] = useState<{ name: string; text: string } | null>(null);
  const [typed, setTyped] = useState("");
  const [options, setOptions] = useState({ update: false, create_domains: false, skip_bad: false });
  const [told, setTold] = useState<Told | null>(null);
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState<"check" | "import" | "">("");
  const [confirm, setConfirm] = useState<{ words: string; text: string } | null>(null);
  const [over, setOver] = useState(false);
  const text = file?.text ?? typed;

  const take = async (chosen: File | undefined) => {
    if (!chosen) return;
    setTold(null);
    if (chosen.size > MOST) {
      setFault(t`${chosen.name} is larger than ${octets(MOST)}.`);
      return;
    }
    setFault("");
    setFile({ name: chosen.name, text: await chosen.text() });
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void take(event.dataTransfer.files[0]);
  };
  const send = async (check: boolean, words = "") => {
    setBusy(check ? "check" : "import");
    setFault("");
    setConfirm(null);
    try {
      const { result, warnings } = await run<Imported>(
        "user",
        "import",
        { file: text, ...options },
        { check, confirm: words },
      );
      if (check) setTold({ result, faults: skippedIn(result.skipped), more: 0, warnings });
      else {
        toast(result.text.split("; not taken")[0] ?? result.text);
        onDone();
      }
    } catch (error) {
      if (error instanceof ApiError && error.confirm) {
        setConfirm({ words: error.confirm, text: error.message });
      } else if (error instanceof ApiError && error.kind === "reauthenticate") setFault(error.message);
      else setTold({ result: null, ...faultsIn(error), warnings: [] });
    } finally {
      setBusy("");
    }
  };
  const option = (name: keyof typeof options, label: string) => (
    <label className="check">
      <input
        type="checkbox"
        checked={options[name]}
        onChange={(event) => {
          setOptions({ ...options, [name]: event.target.checked });
          setTold(null);
        }}
      />
      {label}
    </label>
  );
  const good = told?.result ?? null;
  return (
    <Drawer
      title={t`Import users`}
      label={t`Import users`}
      subtitle={t`From a CSV, also as Kerio, Google, Microsoft and cPanel write it`}
      onClose={onClose}
    >
      {/* oxlint-disable-next-line jsx-a11y/no-static-element-interactions -- the button inside does the same */}
      <div
        className={css.drop}
        data-over={over || undefined}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        <Icon name="file" size={24} />
        {file ? (
          <p>
            <b>{file.name}</b>, <Plural value={rowsOf(file.text)} one="# row" other="# rows" />
          </p>
        ) : (
          <p>
            <Trans>Drop the file here, or</Trans>
          </p>
        )}
        <Button onClick={() => document.getElementById(`${id}file`)?.click()}>
          {file ? t`Choose another file` : t`Choose a file`}
        </Button>
        <input
          id={`${id}file`}
          type="file"
          accept=".csv,.txt,.tsv,text/csv,text/plain"
          hidden
          onChange={(event: ChangeEvent<HTMLInputElement>) => void take(event.target.files?.[0])}
        />
      </div>
      {!file && (
        <textarea
          className={css.paste}
          rows={5}
          aria-label={t`Or paste the table`}
          placeholder={"address,name,password,quota,aliases,groups\nanna@example.org,Anna Adams,,2G,anna.a,staff"}
          value={typed}
          spellCheck={false}
          onChange={(event) => {
            setTyped(event.target.value);
            setTold(null);
          }}
        />
      )}
      <div className={css.options}>
        {option("update", t`Change users that exist already; empty cells change nothing`)}
        {option("create_domains", t`Make domains that are not there yet`)}
        {option("skip_bad", t`Take the good lines although others are wrong`)}
      </div>
      <p className="error" role="alert">
        {fault}
      </p>
      {told && <Preview told={told} />}
      <div className={css.buttons}>
        {good ? (
          <Button
            kind="primary"
            busy={busy === "import"}
            onClick={() => void send(false)}
            disabledBecause={good.added || good.changed || good.text ? undefined : t`There is nothing to take`}
          >
            <Trans>Import</Trans>
          </Button>
        ) : (
          <Button
            kind="primary"
            busy={busy === "check"}
            onClick={() => void send(true)}
            disabledBecause={text.trim() ? undefined : t`Choose a file or paste a table first`}
          >
            <Trans>Check the table</Trans>
          </Button>
        )}
        <Button onClick={onClose}>
          <Trans>Cancel</Trans>
        </Button>
      </div>
      <ConfirmWords
        asked={confirm}
        busy={busy === "import"}
        onClose={() => setConfirm(null)}
        onConfirm={(words) => void send(false, words)}
      />
    </Drawer>
  );
}

function Preview({ told }: { told: Told }) {
  const { t } = useLingui();
  const { result, faults, more, warnings } = told;
  const count = faults.length + more;
  return (
    <div role="status">
      {result ? (
        <Verdict mood={faults.length ? "warn" : "ok"} title={result.text.split("; not taken")[0]}>
          <p>
            <Trans>Nothing has been changed yet.</Trans>
          </p>
        </Verdict>
      ) : (
        <Verdict
          mood="error"
          title={
            <Plural
              value={count}
              one="# thing is wrong: nothing would be taken"
              other="# things are wrong: nothing would be taken"
            />
          }
        />
      )}
      {warnings.map((warning) => (
        <p key={warning} className={`warn ${css.lines}`}>
          {warning}
        </p>
      ))}
      {faults.length > 0 && (
        <table className={css.faults}>
          <thead>
            <tr>
              <th scope="col">{t`Line`}</th>
              <th scope="col">{result ? t`Why it is left out` : t`What is wrong`}</th>
            </tr>
          </thead>
          <tbody>
            {faults.map((each, at) => (
              // oxlint-disable-next-line react/no-array-index-key -- a line may be wrong twice
              <tr key={at}>
                <th scope="row">{each.line || ""}</th>
                <td>{each.text}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {more > 0 && <p className="muted">{t`and ${more} more`}</p>}
    </div>
  );
}
