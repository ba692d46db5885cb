/** A link that looks like a button: it leads to another screen. */
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import css from "./Button.module.css";
import { Icon } from "./Icon.tsx";
import type { IconName } from "./icons.ts";

interface Props {
  to: string;
  search?: Readonly<Record<string, string>>;
  kind?: "primary" | "plain" | "quiet";
  small?: boolean;
  icon?: IconName;
  children: ReactNode;
}

export function LinkButton({ to, search = {}, kind = "plain", small, icon, children }: Props) {
  return (
    <Link
      to={to}
      search={search as never}
      className={[css.button, css[kind], small && css.small].filter(Boolean).join(" ")}
    >
      {icon && <Icon name={icon} />}
      {children}
    </Link>
  );
}
