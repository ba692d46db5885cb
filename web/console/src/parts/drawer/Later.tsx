/** What a drawer holds is fetched once its screen has nothing else to do, or when one is first opened; until it is there
 * the drawer stands there with its name. */
import { type ComponentType, lazy, Suspense } from "react";
import { FormSkeleton } from "../form/FormSkeleton.tsx";
import { Drawer } from "./Drawer.tsx";

interface Own {
  readonly onClose: () => void;
  readonly name?: string;
}

export function later<P extends Own>(load: () => Promise<{ default: ComponentType<P> }>): ComponentType<P> {
  let begun: ReturnType<typeof load> | undefined;
  // One that failed in advance is fetched again when it is wanted.
  const once = () => (begun ??= load().catch((error: unknown) => ((begun = undefined), Promise.reject(error))));
  const Part = lazy(once);
  inAdvance(() => void once().catch(() => undefined));
  return function Later(props: P) {
    const { name = "", onClose } = props;
    return (
      <Suspense
        fallback={
          <Drawer title={name} label={name} onClose={onClose}>
            <FormSkeleton />
          </Drawer>
        }
      >
        <Part {...(props as object as P & object)} />
      </Suspense>
    );
  };
}

/** Nobody waits for it: behind all that the screen itself fetches and draws. */
function inAdvance(act: () => void): void {
  if ("requestIdleCallback" in window) requestIdleCallback(act, { timeout: 5000 });
  else setTimeout(act, 1000); // Safari
}
