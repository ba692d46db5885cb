import "@shared/tokens.css";
import "@shared/fonts.css";
import "@mantine/core/styles/ScrollArea.css";
import "@mantine/core/styles/UnstyledButton.css";
import "@mantine/core/styles/Paper.css";
import "@mantine/core/styles/Popover.css";
import "@mantine/core/styles/CloseButton.css";
import "@mantine/core/styles/Overlay.css";
import "@mantine/core/styles/ModalBase.css";
import "@mantine/core/styles/Modal.css";
import "@mantine/core/styles/Menu.css";
import "@mantine/core/styles/Tooltip.css";
import "@mantine/core/styles/VisuallyHidden.css";
import "./app/mantine.css";
import "./parts/base/base.css";
import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { lazy, StrictMode, Suspense } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "@shared/errors.ts";
import { kit, manager } from "./app/kit.ts";
import { router } from "./app/router.tsx";
import { isNew, SET_PASSWORD, start, trouble } from "./app/start.ts";

const SetPasswordScreen = lazy(() => import("./screens/setpassword/SetPasswordScreen.tsx"));
const WizardScreen = lazy(() => import("./screens/wizard/WizardScreen.tsx"));

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (count, error) => count < 2 && (!(error instanceof ApiError) || error.temporary),
      refetchOnWindowFocus: false,
      staleTime: 10_000,
    },
  },
});

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");

await start();
// What the server said is put into words when it comes: another language asks anew.
i18n.on("change", () => void queries.invalidateQueries());
createRoot(root).render(
  <StrictMode>
    <I18nProvider i18n={i18n}>
      <MantineProvider theme={kit} colorSchemeManager={manager} withCssVariables={false} withGlobalClasses={false}>
        <QueryClientProvider client={queries}>
          {isNew(trouble.get()) ? (
            <Suspense>
              <WizardScreen />
            </Suspense>
          ) : location.pathname === SET_PASSWORD ? (
            <Suspense>
              <SetPasswordScreen />
            </Suspense>
          ) : (
            <RouterProvider router={router} />
          )}
        </QueryClientProvider>
      </MantineProvider>
    </I18nProvider>
  </StrictMode>,
);
