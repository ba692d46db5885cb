/** What a drawer holds is fetched when one is first opened; meanwhile it stands there with its name. */
import { type ComponentType, lazy, Suspense } from "react";
import { FormSkeleton } from "../form/FormSkeleton.tsx";
import { Drawer } from "./Drawer.tsx";

interface Own {
  readonly onClose: () => void;
  readonly name?: string;
}

export function later<P extends Own>(load: () => Promise<{ default: ComponentType<P> }>): ComponentType<P> {
  const Part = lazy(load);
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
