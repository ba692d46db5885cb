import { Store } from "@/api/store.ts";

/** Open, and with what in it. */
export const palette = new Store<{ open: boolean; text: string }>({ open: false, text: "" });

export const openPalette = (text = "") => palette.set({ open: true, text });
export const closePalette = () => palette.set({ open: false, text: "" });
