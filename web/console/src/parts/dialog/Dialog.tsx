/** A dialog over the page. Its code is fetched once the page has been drawn, or when the first one opens. */
import type { ModalProps } from "@mantine/core";
import { useLater } from "../base/advance.ts";

const modal = () => import("./modal.ts");

export function Dialog(props: ModalProps) {
  return useLater(modal, props.opened, props);
}
