/** What is so: an icon, a word and a colour, never a colour alone. */
import type { ReactNode } from "react";
import { Icon } from "./Icon.tsx";
import type { IconName } from "./icons.ts";
import css from "./State.module.css";

export type Mood = "ok" | "warn" | "error" | "info" | "muted";

const ICON: Record<Mood, IconName> = { ok: "ok", warn: "warn", error: "error", info: "info", muted: "ban" };

export function State({ mood, icon, children }: { mood: Mood; icon?: IconName; children: ReactNode }) {
  return (
    <span className={`${css.state} ${mood}`}>
      <Icon name={icon ?? ICON[mood]} />
      <span className="ellipsis">{children}</span>
    </span>
  );
}

/** The sentence at the head of a drawer or a screen: what is so, since when, what to do about it. */
export function Verdict({
  mood,
  icon,
  title,
  children,
}: {
  mood: Mood;
  icon?: IconName;
  title: ReactNode;
  children?: ReactNode;
}) {
  return (
    <div className={css.verdict}>
      <p className={`${css.title} ${mood}`}>
        <Icon name={icon ?? ICON[mood]} size={20} />
        <span>{title}</span>
      </p>
      {children}
    </div>
  );
}
