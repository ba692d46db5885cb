import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Navigate,
  type AnyRoute,
} from "@tanstack/react-router";
import { me } from "@/api/session.ts";
import { NotFound, ScreenFailed } from "./Fallbacks.tsx";
import { SCREENS, visibleTo } from "./screens.ts";
import { Shell } from "./Shell.tsx";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const first = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: () => <Navigate to={visibleTo(me.get())[0]?.path ?? "/about"} replace />,
});

const routes: AnyRoute[] = SCREENS.map((screen) =>
  createRoute({ getParentRoute: () => root, path: screen.path, component: lazyRouteComponent(screen.load) }),
);

/** What an address says behind its `?`: plain text, so that it can be read, typed and sent to somebody. */
export const parseSearch = (text: string): Record<string, string> => Object.fromEntries(new URLSearchParams(text));

export function stringifySearch(search: Record<string, unknown>): string {
  const made = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    if (value !== undefined && value !== null && value !== "") made.set(name, String(value));
  }
  const text = made.toString();
  return text && `?${text}`;
}

export const router = createRouter({
  routeTree: root.addChildren([first, ...routes]),
  defaultPreload: "intent",
  defaultErrorComponent: ScreenFailed,
  parseSearch,
  stringifySearch,
  scrollRestoration: false,
});
