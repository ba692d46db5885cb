import { Trans, useLingui } from "@lingui/react/macro";
import { Menu } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { readVersion, run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { type RecordSchema, useSchema } from "@/api/schema.ts";
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
import { Rename } from "@/parts/people/Rename.tsx";
import { Access } from "./Access.tsx";
import { Departed } from "./Departed.tsx";
import { LeaveUser } from "./LeaveUser.tsx";
import { RemoveUser } from "./RemoveUser.tsx";
import { Sessions } from "./Sessions.tsx";
import { Storage } from "./Storage.tsx";
import type { UserView } from "./user.ts";

interface Props {
  name: string;
  onClose: () => void;
  onChanged: () => void;
}

export default function UserDrawer(props: Props) {
  const { t } = useLingui();
  const schema = useSchema();
  const user = useQuery({
    queryKey: ["user", "show", props.name],
    queryFn: ({ signal }) => readVersion<UserView>("user", "show", { name: props.name }, signal),
  });
  const record = schema.data?.records.user;
  const failed = user.error ?? schema.error;
  if (user.data && record)
    return <Loaded {...props} user={user.data.result} version={user.data.version} record={record} />;
  return (
    <Drawer title={props.name} label={props.name} onClose={props.onClose}>
      {failed ? (
        <Failure what={t`The user could not be read.`} error={failed} retry={() => void user.refetch()} />
      ) : (
        <FormSkeleton />
      )}
    </Drawer>
  );
}

/** On which tab each part of the record stands; what is named nowhere is on the first. */
const TABS: Record<string, string> = {
  Person: "general",
  FurtherNames: "addresses",
  Forwarding: "addresses",
  MailboxQuota: "limits",
  UserCleanOut: "limits",
  UserMessageSize: "limits",
  UserScores: "limits",
};

function Loaded({
  user,
  version,
  record,
  name: address,
  onClose,
  onChanged,
}: Props & { user: UserView; version: string; record: RecordSchema }) {
  const { t } = useLingui();
  const who = useStore(me);
  const queries = useQueryClient();
  const [words, change] = useUrl();
  const [removing, setRemoving] = useState(false);
  const [leaving, setLeaving] = useState(false);
  const [renaming, setRenaming] = useState(false);
  const groups = useMemo(() => recordGroups(record), [record]);
  const readOnly = mayChange(who, "accounts") ? "" : t`You may look, but not change users.`;
  const changed = () => {
    void queries.invalidateQueries({ queryKey: ["user", "show", address] });
    onChanged();
  };
  const form = useRecordForm({
    noun: "user",
    name: address,
    groups,
    view: user,
    version,
    readOnly,
    onSaved: onChanged,
  });
  const tab = words.tab ?? "general";
  const shown = groups.filter((group) => (TABS[group.path] ?? "general") === tab);
  const tabOf = (part: string) => TABS[part] ?? "general";
  const within = (map: Readonly<Record<string, unknown>>, which: string) =>
    groups.some((group) => tabOf(group.path) === which && group.fields.some((field) => field.path in map));
  const titled = (id: string, title: string) => ({
    id,
    title,
    dirty: within(form.state.edits, id),
    wrong: within(form.state.faults, id),
  });
  const shut = user.enabled === false || user.left === true;
  const enable = async (on: boolean) => {
    try {
      await run("user", on ? "enable" : "disable", { name: address });
      toast(on ? t`${address} can sign in` : t`${address} can no longer sign in`);
      changed();
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), "failed");
    }
  };
  return (
    <Drawer
      title={user.full_name || address}
      label={user.full_name || address}
      subtitle={user.full_name ? `${address}${user.description ? `, ${user.description}` : ""}` : user.description}
      tabs={[
        titled("general", t`General`),
        titled("addresses", t`Addresses`),
        titled("limits", t`Limits`),
        { id: "access", title: t`Sign-in` },
        { id: "sessions", title: t`Sessions` },
        { id: "storage", title: t`Storage` },
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
              <Menu.Item leftSection={<Icon name={shut ? "unlock" : "ban"} />} onClick={() => void enable(shut)}>
                {shut ? <Trans>Let sign in again</Trans> : <Trans>Turn sign-in off</Trans>}
              </Menu.Item>
              <Menu.Item leftSection={<Icon name="edit" />} onClick={() => setRenaming(true)}>
                <Trans>Rename</Trans>
              </Menu.Item>
              <Menu.Divider />
              {!user.left && (
                <Menu.Item leftSection={<Icon name="signout" />} onClick={() => setLeaving(true)}>
                  <Trans>User leaves</Trans>
                </Menu.Item>
              )}
              <Menu.Item leftSection={<Icon name="trash" />} className="error" onClick={() => setRemoving(true)}>
                <Trans>Remove user</Trans>
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )
      }
    >
      {tab === "access" ? (
        <Access user={user} version={version} readOnly={readOnly} onChanged={changed} />
      ) : tab === "sessions" ? (
        <Sessions address={address} readOnly={readOnly} />
      ) : tab === "storage" ? (
        <Storage address={address} />
      ) : (
        <FormContext value={form.state}>
          {tab === "general" && user.left && <Departed user={user} />}
          <Form key={tab} groups={shown} />
        </FormContext>
      )}
      <LeaveUser
        address={address}
        name={user.full_name || address}
        opened={leaving}
        onClose={() => setLeaving(false)}
        onLeft={changed}
      />
      <RemoveUser
        address={address}
        opened={removing}
        onClose={() => setRemoving(false)}
        onRemoved={() => (onChanged(), onClose())}
      />
      <Rename
        noun="user"
        name={address}
        keeps
        opened={renaming}
        onClose={() => setRenaming(false)}
        onRenamed={(to) => (onChanged(), change({ open: to }))}
      >
        <Trans>
          Mail, groups, aliases and forwardings move along. The user signs in by the new name, and sessions end.
        </Trans>
      </Rename>
    </Drawer>
  );
}
