import { Tooltip } from "@mantine/core";
import type { ButtonHTMLAttributes, Ref } from "react";
import css from "./Button.module.css";
import { Icon } from "./Icon.tsx";
import type { IconName } from "./icons.ts";

interface Common extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "disabled"> {
  icon?: IconName;
  ref?: Ref<HTMLButtonElement>;
  /** Why it cannot be pressed; it then stays reachable, and says so. */
  disabledBecause?: string | undefined;
}

interface Props extends Common {
  kind?: "primary" | "plain" | "quiet" | "danger";
  small?: boolean;
  busy?: boolean;
}

/** Verbs: "Delete 3 users". One primary button a screen. */
export function Button({ kind = "plain", small, busy, icon, disabledBecause, children, className, ...rest }: Props) {
  const button = (
    <button
      type="button"
      {...withheld(rest, disabledBecause || busy)}
      aria-busy={busy}
      className={[css.button, css[kind], small && css.small, className].filter(Boolean).join(" ")}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
  return disabledBecause ? <Tooltip label={disabledBecause}>{button}</Tooltip> : button;
}

/** A button without a word in it has its name in a tooltip. */
export function IconButton({
  label,
  icon,
  disabledBecause,
  className,
  ...rest
}: Common & { label: string; icon: IconName }) {
  return (
    <Tooltip label={disabledBecause || label} openDelay={400}>
      <button
        type="button"
        aria-label={label}
        {...withheld(rest, disabledBecause)}
        className={`${css.button} ${css.bare} ${className ?? ""}`}
      >
        <Icon name={icon} />
      </button>
    </Tooltip>
  );
}

function withheld(rest: ButtonHTMLAttributes<HTMLButtonElement>, because: string | boolean | undefined) {
  if (!because) return rest;
  return { ...rest, "aria-disabled": true, onClick: (event: { preventDefault: () => void }) => event.preventDefault() };
}
