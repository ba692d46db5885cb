/** How Mantine's components behave here. */
import { createTheme, type MantineColorSchemeManager, Menu, Modal, Popover, Tooltip } from "@mantine/core";

const motion = { duration: 120, transition: "fade" } as const;

export const kit = createTheme({
  fontFamily: "var(--font)",
  respectReducedMotion: true,
  components: {
    // Locking the scrollbar would add a style tag, which the CSP forbids; the page itself never scrolls.
    Modal: Modal.extend({ defaultProps: { lockScroll: false, centered: true, transitionProps: motion } }),
    Menu: Menu.extend({ defaultProps: { transitionProps: motion, shadow: "md" } }),
    Popover: Popover.extend({ defaultProps: { transitionProps: motion, shadow: "md" } }),
    Tooltip: Tooltip.extend({
      defaultProps: { transitionProps: motion, multiline: true, events: { hover: true, focus: true, touch: false } },
    }),
  },
});

/** The theme is ours (preferences.ts): Mantine only reads it. */
export const manager: MantineColorSchemeManager = {
  get: () => (document.documentElement.dataset.mantineColorScheme === "dark" ? "dark" : "light"),
  set: () => undefined,
  subscribe: () => undefined,
  unsubscribe: () => undefined,
  clear: () => undefined,
};
