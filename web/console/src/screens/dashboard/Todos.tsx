/** What is still to be done on a new server, in place of charts that would be empty. */
import { useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { read } from "@/api/admin.ts";
import { State } from "@/parts/base/State.tsx";
import type { Totals } from "@/screens/statistics/series.ts";
import css from "./Dashboard.module.css";
import { accepted } from "./todo.ts";

interface Todo {
  readonly done: boolean;
  readonly title: string;
  readonly text: string;
  readonly path: string;
}

export function Todos({ totals }: { totals: Totals }) {
  const { t } = useLingui();
  const users = useQuery({
    queryKey: ["user", "total"],
    queryFn: ({ signal }) => read<{ total: number }>("user", "list", { limit: 1 }, signal),
    retry: false,
  });
  const count = users.data?.total;
  const mail = accepted(totals);
  const todos: Todo[] = [
    {
      done: mail > 0,
      title: t`Send a test message`,
      text: mail > 0 ? t`The server has taken mail.` : t`It shows the whole way: out, to another server, and back.`,
      path: "/tools",
    },
    // Who may not see all users is not told that there are none.
    ...(count === undefined
      ? []
      : [
          {
            done: count > 1,
            title: t`Add the first users`,
            text: count > 1 ? t`${count} users have a mailbox.` : t`So far there is only the administrator.`,
            path: "/users",
          },
        ]),
    {
      done: false,
      title: t`Go through the health checks`,
      text: t`What other servers must find (MX, reverse DNS, certificate) is checked there, with what to do.`,
      path: "/health",
    },
  ];
  return (
    <section className={`${css.card} ${css.health}`}>
      <header>
        <h2>{t`First steps`}</h2>
        <p>{t`charts come with the first mail`}</p>
      </header>
      <ul>
        {todos.map((each) => (
          <li key={each.title}>
            {each.done ? (
              <State mood="ok" icon="check">{t`Done`}</State>
            ) : (
              <State mood="muted" icon="clock">{t`Open`}</State>
            )}
            <div>
              <b>{each.title}</b>
              <span>{each.text}</span>
            </div>
            <span />
            <Link className={css.mend} to={each.path}>
              {t`Show`}
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
