/** What the macros <Trans> and <Plural> become (lingui.config.ts). Lingui looks for elements in a text after the values
 * were put in: `<0>` in a subject would be drawn as the link of the sentence, `<script>` left out. What strangers write
 * is handed over as an element instead, which is never read as a text. (`createElement`: the extraction of texts takes
 * <Trans> for one of ours.) */
import { Trans as Plain, type TransProps } from "@lingui/react";
import { createElement, Fragment } from "react";

const marked = (value: unknown) => typeof value === "string" && value.includes("<");

export function Trans(props: TransProps) {
  const { values } = props;
  if (!values || !Object.values(values).some(marked)) return createElement(Plain, props);
  const guarded = Object.entries(values).map(([name, value]) => [
    name,
    marked(value) ? <Fragment>{value as string}</Fragment> : value,
  ]);
  return createElement(Plain, { ...props, values: Object.fromEntries(guarded) as Record<string, unknown> });
}
