import { Trans, useLingui } from "@lingui/react/macro";
import { Menu } from "@mantine/core";
import { useMemo, useState } from "react";
import type { RecordSchema } from "@/api/schema.ts";
import { me, mayChange } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { IconButton } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { Failure } from "@/parts/base/Notice.tsx";
import { Drawer } from "@/parts/drawer/Drawer.tsx";
import { FormContext } from "@/parts/form/context.ts";
import { recordGroups } from "@/parts/form/fields.ts";
import { Form } from "@/parts/form/Form.tsx";
import { FormSkeleton } from "@/parts/form/FormSkeleton.tsx";
import { SaveBar } from "@/parts/form/SaveBar.tsx";
import { useRecordForm } from "@/parts/form/useRecordForm.ts";
import { RemoveRecord } from "@/parts/people/RemoveRecord.tsx";
import { useRecord } from "@/parts/people/useRecord.tsx";
import { domainOf, type TemplateRow } from "./template.ts";

interface Props {
  name: string;
  onClose: () => void;
  onChanged: () => void;
}

export default function TemplateDrawer(props: Props) {
  const { t } = useLingui();
  const { loaded, error, retry } = useRecord<TemplateRow>("template", props.name);
  if (loaded) return <Loaded {...props} template={loaded.view} version={loaded.version} record={loaded.record} />;
  return (
    <Drawer title={props.name} label={props.name} onClose={props.onClose}>
      {error ? <Failure what={t`The template could not be read.`} error={error} retry={retry} /> : <FormSkeleton />}
    </Drawer>
  );
}

function Loaded({
  template,
  version,
  record,
  name,
  onClose,
  onChanged,
}: Props & { template: TemplateRow; version: string; record: RecordSchema }) {
  const { t } = useLingui();
  const who = useStore(me);
  const [asking, setAsking] = useState(false);
  const groups = useMemo(() => recordGroups(record), [record]);
  const foreign = who?.domains && !who.domains.includes(domainOf(name));
  const readOnly = !mayChange(who, "accounts")
    ? t`You may look, but not change templates.`
    : foreign
      ? t`It is of a domain that you do not administer: you may use it, but not change it.`
      : "";
  const form = useRecordForm({ noun: "template", name, groups, view: template, version, readOnly, onSaved: onChanged });
  return (
    <Drawer
      title={name}
      label={name}
      subtitle={template.description}
      onClose={onClose}
      footer={Object.keys(form.state.edits).length || form.refusal ? <SaveBar form={form} /> : undefined}
      more={
        !readOnly && (
          <Menu position="bottom-end">
            <Menu.Target>
              <IconButton icon="more" label={t`More actions`} />
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item leftSection={<Icon name="trash" />} className="error" onClick={() => setAsking(true)}>
                <Trans>Remove template</Trans>
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )
      }
    >
      <p className="muted">
        <Trans>
          New users get a copy of these values. What is changed here changes nobody who was added before; what is left
          empty is as without a template.
        </Trans>
      </p>
      <FormContext value={form.state}>
        <Form groups={groups} />
      </FormContext>
      <RemoveRecord
        noun="template"
        name={name}
        verb={t`Remove template`}
        opened={asking}
        onClose={() => setAsking(false)}
        onRemoved={() => (onChanged(), onClose())}
      />
    </Drawer>
  );
}
