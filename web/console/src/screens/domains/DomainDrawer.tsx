import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Menu } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { read, run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import type { RecordSchema } from "@/api/schema.ts";
import { me, mayChange, reaches } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { useUrl } from "@/app/url.ts";
import { IconButton } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { number, octets } from "@/parts/base/Moment.tsx";
import { Failure } from "@/parts/base/Notice.tsx";
import { Verdict } from "@/parts/base/State.tsx";
import { Drawer, Facts } from "@/parts/drawer/Drawer.tsx";
import { FormContext } from "@/parts/form/context.ts";
import { recordGroups } from "@/parts/form/fields.ts";
import { Form, ReadOnlyNote } from "@/parts/form/Form.tsx";
import { FormSkeleton } from "@/parts/form/FormSkeleton.tsx";
import { SaveBar } from "@/parts/form/SaveBar.tsx";
import { useRecordForm } from "@/parts/form/useRecordForm.ts";
import { RemoveRecord } from "@/parts/people/RemoveRecord.tsx";
import { useRecord } from "@/parts/people/useRecord.tsx";
import type { DomainRow } from "./domain.ts";
import { DomainSigning } from "./DomainSigning.tsx";
import { RenameDomain } from "./RenameDomain.tsx";

interface Props {
  name: string;
  onClose: () => void;
  onChanged: () => void;
}

export default function DomainDrawer(props: Props) {
  const { t } = useLingui();
  const { loaded, error, retry } = useRecord<DomainRow>("domain", props.name);
  if (loaded) return <Loaded {...props} domain={loaded.view} version={loaded.version} record={loaded.record} />;
  return (
    <Drawer title={props.name} label={props.name} onClose={props.onClose}>
      {error ? <Failure what={t`The domain could not be read.`} error={error} retry={retry} /> : <FormSkeleton />}
    </Drawer>
  );
}

/** On which tab each part of the record stands; what is named nowhere is on the first. */
const TABS: Record<string, string> = {
  DomainMessageSize: "limits",
  DomainLimits: "limits",
  DomainRetention: "limits",
  DomainScores: "limits",
};
const tabOf = (part: string) => TABS[part] ?? "general";

function Loaded({
  domain,
  version,
  record,
  name,
  onClose,
  onChanged,
}: Props & { domain: DomainRow; version: string; record: RecordSchema }) {
  const { t } = useLingui();
  const who = useStore(me);
  const queries = useQueryClient();
  const [words, change] = useUrl();
  const [asking, setAsking] = useState<"remove" | "rename" | null>(null);
  const groups = useMemo(() => recordGroups(record), [record]);
  const may = mayChange(who, "server");
  const readOnly = may ? "" : t`Only who administers the server changes domains.`;
  const form = useRecordForm({ noun: "domain", name, groups, view: domain, version, readOnly, onSaved: onChanged });
  const tab = words.tab ?? "general";
  const within = (map: Readonly<Record<string, unknown>>, which: string) =>
    groups.some((group) => tabOf(group.path) === which && group.fields.some((field) => field.path in map));
  const titled = (id: string, title: string) => ({
    id,
    title,
    dirty: within(form.state.edits, id),
    wrong: within(form.state.faults, id),
  });
  const makePrimary = async () => {
    try {
      const { result } = await run<{ text: string }>("domain", "primary", { name });
      toast(result.text);
      await queries.invalidateQueries({ queryKey: ["domain", "show"] });
      onChanged();
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), "failed");
    }
  };
  return (
    <Drawer
      title={name}
      label={name}
      subtitle={domain.description || (domain.aliases.length ? t`also ${domain.aliases.join(", ")}` : "")}
      tabs={[titled("general", t`General`), titled("limits", t`Limits and clean-out`), titled("dkim", t`DKIM`)]}
      tab={tab}
      onTab={(next) => change({ tab: next })}
      onClose={onClose}
      footer={Object.keys(form.state.edits).length || form.refusal ? <SaveBar form={form} /> : undefined}
      more={
        may && (
          <Menu position="bottom-end">
            <Menu.Target>
              <IconButton icon="more" label={t`More actions`} />
            </Menu.Target>
            <Menu.Dropdown>
              {!domain.primary && (
                <Menu.Item leftSection={<Icon name="key" />} onClick={() => void makePrimary()}>
                  <Trans>Make it the primary domain</Trans>
                </Menu.Item>
              )}
              <Menu.Item leftSection={<Icon name="edit" />} onClick={() => setAsking("rename")}>
                <Trans>Rename</Trans>
              </Menu.Item>
              <Menu.Divider />
              <Menu.Item leftSection={<Icon name="trash" />} className="error" onClick={() => setAsking("remove")}>
                <Trans>Remove domain</Trans>
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )
      }
    >
      {tab === "general" && <Head domain={domain} />}
      {tab === "dkim" && <DomainSigning name={name} readOnly={readOnly} />}
      {readOnly && <ReadOnlyNote because={readOnly} />}
      <FormContext value={form.state}>
        <Form key={tab} groups={groups.filter((group) => tabOf(group.path) === tab)} />
      </FormContext>
      <RemoveRecord
        noun="domain"
        name={name}
        verb={t`Remove domain`}
        opened={asking === "remove"}
        onClose={() => setAsking(null)}
        onRemoved={() => (onChanged(), onClose())}
      >
        <Trans>
          Its aliases and groups go with it. Mail to {name} is then refused here, as soon as the ten seconds to take it
          back have passed.
        </Trans>
      </RemoveRecord>
      <RenameDomain name={name} opened={asking === "rename"} onClose={() => setAsking(null)} />
    </Drawer>
  );
}

/** What the domain is, and what it holds. */
function Head({ domain }: { domain: DomainRow }) {
  const { t } = useLingui();
  const who = useStore(me);
  const whole = useQuery({
    queryKey: ["domain", "usage", domain.name],
    queryFn: ({ signal }) => read<DomainRow>("domain", "show", { name: domain.name, usage: true }, signal),
    retry: false,
  });
  const held = whole.data;
  const link = (to: string, count: number) => (
    <Link to={to} search={{ domain: domain.name } as never}>
      {number(count)}
    </Link>
  );
  return (
    <>
      {domain.primary ? (
        <Verdict mood="ok" icon="key" title={t`The primary domain`}>
          <p>
            <Trans>Its users sign in by their bare name, and bare names mean addresses in it.</Trans>
          </p>
        </Verdict>
      ) : domain.user_count ? (
        <Verdict
          mood="ok"
          title={<Plural value={domain.user_count} one="Takes mail for # user" other="Takes mail for # users" />}
        />
      ) : domain.catch_all ? (
        <Verdict mood="info" icon="globe" title={t`All mail goes to ${domain.catch_all}`} />
      ) : (
        <Verdict mood="muted" icon="box" title={t`Nobody has an address here yet`} />
      )}
      <Facts
        facts={[
          [t`Users`, link("/users", domain.user_count)],
          [t`Groups`, link("/groups", domain.group_count)],
          [t`Aliases`, link("/aliases", domain.alias_count)],
          [
            t`Storage`,
            held ? (
              held.storage === null ? (
                <span key="many" className="muted">
                  <Trans>not counted: too many mailboxes</Trans>
                </span>
              ) : (
                t`${octets(held.storage)} in ${number(held.messages ?? 0)} messages`
              )
            ) : (
              <span key="none" className="muted">
                {whole.isPending ? t`being counted` : t`unknown`}
              </span>
            ),
          ],
          reaches(who, "server-read") && [
            t`Mail`,
            <Link key="trace" to="/trace" search={{ q: domain.name } as never}>
              <Trans>Trace what came and went</Trans>
            </Link>,
          ],
        ]}
      />
      <div style={{ height: 20 }} />
    </>
  );
}
