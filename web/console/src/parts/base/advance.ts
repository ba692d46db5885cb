/** Code that is fetched once a screen has nothing else to do, or when it is wanted before. */
import { type ComponentType, createElement, type ReactNode, useEffect, useState } from "react";

type Load<P> = () => Promise<{ default: ComponentType<P> }>;

/** The same module, asked for once. One that failed in advance is fetched again when it is wanted. */
export function inAdvance<P>(load: Load<P>): Load<P> {
  let begun: ReturnType<Load<P>> | undefined;
  const once = () =>
    (begun ??= load().catch((error: unknown) => {
      begun = undefined;
      throw error;
    }));
  whenIdle(() => void once().catch(() => undefined));
  return once;
}

/** A part that stands over the page: fetched once the page has been drawn, or at once when it is `wanted`. Nothing while it
 * is not there; where it could not be fetched it is tried again when it is wanted again. */
export function useLater<P extends object>(load: Load<P>, wanted: boolean, props: P): ReactNode {
  const [part, setPart] = useState<ComponentType<P> | null>(null);
  useEffect(() => {
    const fetched = () =>
      void load().then(
        (module) => setPart(() => module.default),
        () => undefined,
      );
    if (part) return;
    if (wanted) fetched();
    else whenIdle(fetched);
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- the way to it stays the same
  }, [wanted, part]);
  return part && createElement(part, props);
}

function whenIdle(act: () => void): void {
  if ("requestIdleCallback" in window) requestIdleCallback(act, { timeout: 5000 });
  else setTimeout(act, 1000); // Safari
}
