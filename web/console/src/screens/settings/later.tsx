/** A form of settings for screens that have one on a tab: fetched when the tab is first opened. */
import { lazy, type ReactNode, Suspense } from "react";
import { FormSkeleton } from "@/parts/form/FormSkeleton.tsx";
import type { SettingsForm as Form } from "./SettingsForm.tsx";

const Fetched = lazy(() => import("./SettingsForm.tsx").then((module) => ({ default: module.SettingsForm })));

export function LaterSettingsForm(props: Parameters<typeof Form>[0]): ReactNode {
  return (
    <Suspense fallback={<FormSkeleton />}>
      <Fetched {...props} />
    </Suspense>
  );
}
