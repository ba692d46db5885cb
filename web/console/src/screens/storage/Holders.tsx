/** Who holds the room: domains and the largest mailboxes, as of the latest count. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { Button } from "@/parts/base/Button.tsx";
import { Moment, number, octets } from "@/parts/base/Moment.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { screenOf } from "@/app/screens.ts";
import css from "./Storage.module.css";
import { change, type Held, type Usage } from "./storage.ts";

const FEW = 10;

export function Holders({ usage, action, counting }: { usage: Usage; action: ReactNode; counting: boolean }) {
  const { t } = useLingui();
  if (!usage.counted)
    return (
      <section className={css.card}>
        <h2>
          <Trans>What holds the room</Trans>
        </h2>
        <Notice
          icon="box"
          title={
            counting ? <Trans>Mailboxes are being counted.</Trans> : <Trans>Mailboxes were not counted yet.</Trans>
          }
          action={action}
        >
          <p>
            <Trans>A count goes through all mailboxes at leisure; mail goes on meanwhile.</Trans>
          </p>
        </Notice>
      </section>
    );
  const { mailboxes, messages, deleted_messages: deleted, removed_mailboxes: removed } = usage;
  const domainsScreen = screenOf("domains") !== undefined;
  return (
    <section className={css.card}>
      <header>
        <h2>
          <Trans>What holds the room</Trans>
        </h2>
        <p className="muted">
          <Trans>
            counted <Moment at={usage.counted} />
          </Trans>
        </p>
      </header>
      <p>
        <Plural value={mailboxes} one="# mailbox" other="# mailboxes" />: {number(messages)}{" "}
        <Plural value={messages} one="message" other="messages" />, {octets(usage.size)}
        {"; "}
        <Plural value={deleted} one="# deleted message is kept" other="# deleted messages are kept" />,{" "}
        {octets(usage.deleted_size)}
        {removed > 0 && (
          <>
            {"; "}
            <Plural value={removed} one="# mailbox of a removed user" other="# mailboxes of removed users" />,{" "}
            {octets(usage.removed_size)}
          </>
        )}
        .{" "}
        <span className="muted">
          <Trans>A message to several recipients counts for each of them; the disk has it once.</Trans>
        </span>
      </p>
      <div className={css.tables}>
        <Table
          title={t`Domains`}
          rows={usage.domains.map((each) => ({ ...each, id: each.name, count: each.mailboxes }))}
          counts={t`Mailboxes`}
          to={(name) => (domainsScreen ? ["/domains", { open: name }] : ["/users", { domain: name }])}
        />
        <Table
          title={t`Largest mailboxes`}
          rows={usage.largest.map((each) => ({ ...each, id: each.account, count: each.messages }))}
          counts={t`Messages`}
          to={(account) => ["/users", { open: account }]}
        />
        {usage.fastest.length > 0 && (
          <Table
            title={t`Fastest-growing mailboxes`}
            rows={usage.fastest.map((each) => ({ ...each, id: each.account, count: each.messages }))}
            counts={t`Messages`}
            to={(account) => ["/users", { open: account }]}
          />
        )}
      </div>
    </section>
  );
}

interface Row extends Held {
  readonly id: string;
  readonly count: number;
  readonly grows: number | null;
}

function Table({
  title,
  rows,
  counts,
  to,
}: {
  title: string;
  rows: readonly Row[];
  counts: string;
  /** Path and search of the screen that shows it. */
  to: (id: string) => [string, Record<string, string>];
}) {
  const { t } = useLingui();
  const [all, setAll] = useState(false);
  const most = Math.max(1, ...rows.map((row) => row.size + row.deleted_size));
  const rest = rows.length - FEW;
  // A column once two counts tell something.
  const growing = rows.some((row) => row.grows !== null);
  return (
    <div>
      <table className={css.table}>
        <caption>{title}</caption>
        <thead>
          <tr>
            <th scope="col">{t`Name`}</th>
            <th scope="col" data-align="end" data-room="low">
              {counts}
            </th>
            <th scope="col" data-align="end">{t`Mail`}</th>
            <th scope="col" data-align="end">{t`Deleted, kept`}</th>
            {growing && <th scope="col" data-align="end">{t`A day`}</th>}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, all ? undefined : FEW).map((row) => {
            const [path, search] = to(row.id);
            return (
              <tr key={row.id}>
                <th scope="row">
                  <Link to={path} search={search as never} className="link">
                    {row.id}
                  </Link>
                  <span className={css.share} aria-hidden="true">
                    <i data-part="mail" style={{ width: `${(100 * row.size) / most}%` }} />
                    <i data-part="deleted" style={{ width: `${(100 * row.deleted_size) / most}%` }} />
                  </span>
                </th>
                <td data-align="end" data-room="low">
                  {number(row.count)}
                </td>
                <td data-align="end">{octets(row.size)}</td>
                <td data-align="end" className="muted">
                  {octets(row.deleted_size)}
                </td>
                {growing && <td data-align="end">{change(row.grows)}</td>}
              </tr>
            );
          })}
        </tbody>
      </table>
      {rest > 0 && !all && (
        <Button small onClick={() => setAll(true)}>
          <Plural value={rest} one="Show # more" other="Show # more" />
        </Button>
      )}
    </div>
  );
}
