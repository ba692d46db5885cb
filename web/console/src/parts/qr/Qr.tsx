/** A QR code; what draws it is fetched when the first is shown. */
import { lazy, Suspense } from "react";
import css from "./Qr.module.css";

const Drawn = lazy(() => import("./QrDrawn.tsx"));

export function Qr(props: { text: string; label: string }) {
  return (
    <Suspense fallback={<span className={css.place} />}>
      <Drawn {...props} />
    </Suspense>
  );
}
