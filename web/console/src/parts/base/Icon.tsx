import { ICONS, type IconName } from "./icons.ts";

/** Beside a text it is decoration; alone it needs a `label`. */
export function Icon({ name, size = 16, label }: { name: IconName; size?: number; label?: string }) {
  return (
    <svg
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      {...(label ? { role: "img", "aria-label": label } : { "aria-hidden": true })}
    >
      <path d={ICONS[name]} />
    </svg>
  );
}
