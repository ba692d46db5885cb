/** A QR code of a text; dark on light in either theme, since readers expect it so. */
import { useMemo } from "react";
import css from "./Qr.module.css";
import { path, qr } from "./qr.ts";

export default function QrDrawn({ text, label }: { text: string; label: string }) {
  const drawn = useMemo(() => {
    const modules = qr(text);
    return modules && path(modules);
  }, [text]);
  if (!drawn) return null;
  return (
    <svg
      className={css.code}
      role="img"
      aria-label={label}
      viewBox={`0 0 ${drawn.size} ${drawn.size}`}
      shapeRendering="crispEdges"
    >
      <rect className={css.light} width={drawn.size} height={drawn.size} />
      <path className={css.dark} d={drawn.d} />
    </svg>
  );
}
