import { Trans, useLingui } from "@lingui/react/macro";
import { Menu } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
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
import { Rename } from "@/parts/people/Rename.tsx";
import { useRecord } from "@/parts/people/useRecord.tsx";
import { AddressWay } from "@/parts/people/Way.tsx";
import { sample } from "@/parts/people/way.ts";
import { type AliasRow, kindOf } from "./alias.ts";

interface Props {
  name: string;
  onClose: () => void;
  onOpen: (name: string) => void;
  onChanged: () => void;
}

export default function AliasDrawer(props: Props) {
  const { t } = useLingui();
  const { loaded, error, retry } = useRecord<AliasRow>("alias", props.name);
  if (loaded) return <Loaded {...props} alias={loaded.view} version={loaded.version} record={loaded.record} />;
  return (
    <Drawer title={props.name} label={props.name} onClose={props.onClose}>
      {error ? <Failure what={t`The alias could not be read.`} error={error} retry={retry} /> : <FormSkeleton />}
    </Drawer>
  );
}

function Loaded({
  alias,
  version,
  record,
  name,
  onClose,
  onOpen,
  onChanged,
}: Props & { alias: AliasRow; version: string; record: RecordSchema }) {
  const { t } = useLingui();
  const who = useStore(me);
  const queries = useQueryClient();
  const [asking, setAsking] = useState<"remove" | "rename" | null>(null);
  const groups = useMemo(() => recordGroups(record).map((part) => ({ ...part, title: "", help: "" })), [record]);
  const readOnly = mayChange(who, "accounts") ? "" : t`You may look, but not change aliases.`;
  const changed = () => {
    void queries.invalidateQueries({ queryKey: ["alias", "check"] });
    onChanged();
  };
  const form = useRecordForm({ noun: "alias", name, groups, view: alias, version, readOnly, onSaved: changed });
  const kind = kindOf(name);
  return (
    <Drawer
      title={name}
      label={name}
      subtitle={
        kind === "everything"
          ? t`Takes every name that nobody else has`
          : kind === "pattern"
            ? t`Takes every name of this pattern that nobody else has`
            : alias.description
      }
      onClose={onClose}
      footer={Object.keys(form.state.edits).length || form.refusal ? <SaveBar form={form} /> : undefined}
      more={
        !readOnly && (
          <Menu position="bottom-end">
            <Menu.Target>
              <IconButton icon="more" label={t`More actions`} />
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item leftSection={<Icon name="edit" />} onClick={() => setAsking("rename")}>
                <Trans>Rename</Trans>
              </Menu.Item>
              <Menu.Divider />
              <Menu.Item leftSection={<Icon name="trash" />} className="error" onClick={() => setAsking("remove")}>
                <Trans>Remove alias</Trans>
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )
      }
    >
      <FormContext value={form.state}>
        <Form groups={groups} />
      </FormContext>
      <h3>{kind === "name" ? t`Where it leads` : t`Where it leads, of ${sample(name)}`}</h3>
      <AddressWay address={sample(name)} />
      <RemoveRecord
        noun="alias"
        name={name}
        verb={t`Remove alias`}
        opened={asking === "remove"}
        onClose={() => setAsking(null)}
        onRemoved={() => (onChanged(), onClose())}
      />
      <Rename
        noun="alias"
        name={name}
        opened={asking === "rename"}
        onClose={() => setAsking(null)}
        onRenamed={(to) => (onChanged(), onOpen(to))}
      >
        <Trans>Aliases, groups and forwardings that name it name it by the new one.</Trans>
      </Rename>
    </Drawer>
  );
}
