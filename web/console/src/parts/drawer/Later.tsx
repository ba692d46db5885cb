/** What a drawer holds is fetched once its screen has nothing else to do, or when one is first opened; until it is there
 * the drawer stands there with its name. */
import { type ComponentType, lazy, Suspense } from "react";
import { inAdvance } from "../base/advance.ts";
import { FormSkeleton } from "../form/FormSkeleton.tsx";
import { Drawer } from "./Drawer.tsx";

interface Own {
  readonly onClose: () => void;
  readonly name?: string;
}

export function later<P extends Own>(load: () => Promise<{ default: ComponentType<P> }>): ComponentType<P> {
  const Part = lazy(inAdvance(load));
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
