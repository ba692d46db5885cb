/** What saving would do: old and new value of each setting, and its line in the file. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { Button } from "../base/Button.tsx";
import dialog from "./dialog.module.css";
import type { Field } from "./fields.ts";
import { written, xml } from "./review.ts";
import { type EditorForm, fieldOf } from "./useEditor.ts";

export function Review({ form, opened, onClose }: { form: EditorForm; opened: boolean; onClose: () => void }) {
  const { t } = useLingui();
  const { edits, readOnly } = form.state;
  return (
    <Dialog opened={opened} onClose={onClose} title={t`Review changes`} size={720}>
      <ul className={dialog.changes}>
        {Object.entries(edits).map(([path, value]) => (
          <li key={path}>
            <Change form={form} path={path} field={fieldOf(path, form.fields)} value={value} />
          </li>
        ))}
      </ul>
      <div className={dialog.buttons}>
        <Button onClick={() => void form.check().then(onClose)} busy={form.busy}>
          <Trans>Only check</Trans>
        </Button>
        <Button
          kind="primary"
          busy={form.busy}
          disabledBecause={
            readOnly || (Object.keys(form.state.faults).length ? t`Correct the marked fields first` : undefined)
          }
          onClick={() => void form.save().then(onClose)}
        >
          <Trans>Save</Trans>
        </Button>
      </div>
    </Dialog>
  );
}

function Change({
  form,
  path,
  field,
  value,
}: {
  form: EditorForm;
  path: string;
  field: Field | undefined;
  value: unknown;
}) {
  const { t } = useLingui();
  const known = form.state.values[path];
  const old = known?.value ?? field?.schema.default;
  const next = value === null ? field?.schema.default : value;
  const secret = field?.widget === "secret";
  const removed = !field && value === null;
  const lines =
    field && form.state.settings ? { before: known?.set ? xml(field, old) : [], after: xml(field, value) } : null;
  return (
    <>
      <p>
        <b>{field?.title ?? path}</b> <code className="muted">{path}</code>
      </p>
      {removed ? (
        <p>{t`The entry is removed.`}</p>
      ) : (
        <p>
          <del>{secret ? (known?.set ? "********" : t`not set`) : written(old) || t`empty`}</del> →{" "}
          <ins>{secret ? (value === null ? t`not set` : "********") : written(next) || t`empty`}</ins>
          {value === null && ` (${t`default`})`}
        </p>
      )}
      {lines && (lines.before.length > 0 || lines.after.length > 0) && (
        <pre>
          {lines.before.map((line) => (
            <span key={`-${line}`} data-change="removed">{`- ${line}\n`}</span>
          ))}
          {lines.after.map((line) => (
            <span key={`+${line}`} data-change="added">{`+ ${line}\n`}</span>
          ))}
        </pre>
      )}
    </>
  );
}
