import { Store } from "@/api/store.ts";

/** Open, and with what in it. */
export const palette = new Store<{ open: boolean; text: string }>({ open: false, text: "" });

export const openPalette = (text = "") => palette.set({ open: true, text });
/** Opens and closes it from everywhere. To be taken off again. */
export function onPress(event: KeyboardEvent): void {
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    if (palette.get().open) closePalette();
    else openPalette();
  }
}

export const closePalette = () => palette.set({ open: false, text: "" });
