/** How Mantine's components behave here. */
import { i18n } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import { createTheme, type MantineColorSchemeManager, Menu, type ModalProps, Popover, Tooltip } from "@mantine/core";

const motion = { duration: 120, transition: "fade" } as const;

export const kit = createTheme({
  fontFamily: "var(--font)",
  respectReducedMotion: true,
  components: {
    // Locking the scrollbar would add a style tag, which the CSP forbids; the page itself never scrolls.
    // A function, since the name of the cross follows the language; `Modal.extend` takes none.
    Modal: {
      defaultProps: (): Partial<ModalProps> => ({
        lockScroll: false,
        centered: true,
        transitionProps: motion,
        closeButtonProps: { "aria-label": i18n._(msg`Close`) },
      }),
    },
    // Its placeholder for the focus is no item, which a menu may not hold. WAI-ARIA: menu
    Menu: Menu.extend({
      defaultProps: { transitionProps: motion, shadow: "md", withInitialFocusPlaceholder: false },
    }),
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
