import { Trans, useLingui } from "@lingui/react/macro";
import { Menu } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import type { RecordSchema } from "@/api/schema.ts";
import { me, mayChange } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { useUrl } from "@/app/url.ts";
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
import type { GroupRow } from "./group.ts";
import { Members } from "./Members.tsx";

interface Props {
  name: string;
  onClose: () => void;
  onOpen: (name: string) => void;
  onChanged: () => void;
}

export default function GroupDrawer(props: Props) {
  const { t } = useLingui();
  const { loaded, error, retry } = useRecord<GroupRow>("group", props.name);
  if (loaded) return <Loaded {...props} group={loaded.view} version={loaded.version} record={loaded.record} />;
  return (
    <Drawer title={props.name} label={props.name} onClose={props.onClose}>
      {error ? <Failure what={t`The group could not be read.`} error={error} retry={retry} /> : <FormSkeleton />}
    </Drawer>
  );
}

function Loaded({
  group,
  version,
  record,
  name,
  onClose,
  onOpen,
  onChanged,
}: Props & { group: GroupRow; version: string; record: RecordSchema }) {
  const { t } = useLingui();
  const who = useStore(me);
  const queries = useQueryClient();
  const [words, change] = useUrl();
  const [asking, setAsking] = useState<"remove" | "rename" | null>(null);
  // Members are added and taken out one by one: a form would send all of them, and undo what others did meanwhile.
  const groups = useMemo(
    () =>
      recordGroups(record).map((part) => ({
        ...part,
        title: "",
        help: "",
        fields: part.fields.filter((field) => field.path !== "member"),
      })),
    [record],
  );
  const readOnly = mayChange(who, "accounts") ? "" : t`You may look, but not change groups.`;
  const form = useRecordForm({ noun: "group", name, groups, view: group, version, readOnly, onSaved: onChanged });
  const tab = words.tab ?? "members";
  const changed = () => {
    void queries.invalidateQueries({ queryKey: ["group", "show", name] });
    void queries.invalidateQueries({ queryKey: ["alias", "check"] });
    onChanged();
  };
  return (
    <Drawer
      title={name}
      label={name}
      subtitle={group.description}
      tabs={[
        { id: "members", title: t`Members` },
        { id: "way", title: t`Where it leads` },
        { id: "general", title: t`General`, dirty: Object.keys(form.state.edits).length > 0 },
      ]}
      tab={tab}
      onTab={(next) => change({ tab: next })}
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
                <Trans>Remove group</Trans>
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )
      }
    >
      {tab === "members" ? (
        <Members group={group} readOnly={readOnly} onChanged={changed} onOpen={onOpen} />
      ) : tab === "way" ? (
        <AddressWay address={name} />
      ) : (
        <FormContext value={form.state}>
          <Form groups={groups} />
        </FormContext>
      )}
      <RemoveRecord
        noun="group"
        name={name}
        verb={t`Remove group`}
        opened={asking === "remove"}
        onClose={() => setAsking(null)}
        onRemoved={() => (onChanged(), onClose())}
      >
        <Trans>The members stay; mail to {name} is refused from then on.</Trans>
      </RemoveRecord>
      <Rename
        noun="group"
        name={name}
        keeps
        opened={asking === "rename"}
        onClose={() => setAsking(null)}
        onRenamed={(to) => (onChanged(), onOpen(to))}
      >
        <Trans>Aliases, groups and forwardings that name it name it by the new one.</Trans>
      </Rename>
    </Drawer>
  );
}
