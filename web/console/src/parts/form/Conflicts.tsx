/** Somebody else changed the same settings, here or in the file: what it was, theirs, ours; one chooses for each. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { Button } from "../base/Button.tsx";
import dialog from "./dialog.module.css";
import { written } from "./review.ts";
import { type EditorForm, fieldOf } from "./useEditor.ts";

export function Conflicts({ form }: { form: EditorForm }) {
  const { t } = useLingui();
  const open = form.conflicts ?? [];
  return (
    <Dialog
      opened={form.conflicts !== null}
      onClose={form.dismiss}
      title={form.outside ? t`The file was edited meanwhile` : t`Changed by somebody else meanwhile`}
      size={820}
    >
      {open.length ? (
        <div className={dialog.wide}>
          <table className={dialog.conflicts}>
            <thead>
              <tr>
                <th scope="col">
                  <Trans>Setting</Trans>
                </th>
                <th scope="col">
                  <Trans>When you began</Trans>
                </th>
                <th scope="col">
                  <Trans>Theirs, now</Trans>
                </th>
                <th scope="col">
                  <Trans>Yours</Trans>
                </th>
              </tr>
            </thead>
            <tbody>
              {open.map(({ path, base, theirs, ours }) => (
                <tr key={path}>
                  <th scope="row">
                    {fieldOf(path, form.fields)?.title ?? path}
                    <code className="muted">{path}</code>
                  </th>
                  <td>{written(base) || t`empty`}</td>
                  <td>
                    <p>{written(theirs) || t`empty`}</p>
                    <Button small onClick={() => form.decide(path, false)}>
                      <Trans>Take theirs</Trans>
                    </Button>
                  </td>
                  <td>
                    <p>{written(ours) || t`default`}</p>
                    <Button small onClick={() => form.decide(path, true)}>
                      <Trans>Keep mine</Trans>
                    </Button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <>
          <p>
            <Trans>All is decided.</Trans>
          </p>
          <div className={dialog.buttons}>
            {form.outside ? (
              <Button kind="primary" busy={form.busy} onClick={() => void form.takeFile()}>
                <Trans>Take the file into use</Trans>
              </Button>
            ) : Object.keys(form.state.edits).length ? (
              <Button kind="primary" busy={form.busy} onClick={() => void form.save()}>
                <Trans>Save mine</Trans>
              </Button>
            ) : (
              <Button kind="primary" onClick={form.dismiss}>
                <Trans>Close</Trans>
              </Button>
            )}
          </div>
        </>
      )}
    </Dialog>
  );
}
