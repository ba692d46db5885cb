/** What runs here, and how this browser speaks to it. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useEffect, useState } from "react";
import { useLiveStatus } from "@/api/live.ts";
import { me } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Page, Scroll } from "@/app/Page.tsx";
import { Moment } from "@/parts/base/Moment.tsx";
import { Facts } from "@/parts/drawer/Drawer.tsx";
import css from "./AboutScreen.module.css";

const NAMES: Record<string, string> = { "http/1.1": "HTTP/1.1", h2: "HTTP/2", h3: "HTTP/3" };

/** The protocol of the latest request, as the browser tells it. */
function protocol(): string {
  const entries = performance.getEntriesByType("resource") as PerformanceResourceTiming[];
  return entries.findLast((entry) => entry.nextHopProtocol)?.nextHopProtocol ?? "";
}

export default function AboutScreen() {
  const { t } = useLingui();
  const who = useStore(me);
  const live = useLiveStatus();
  const [spoken, setSpoken] = useState(protocol);
  useEffect(() => {
    const timer = setInterval(() => setSpoken(protocol()), 3000);
    return () => clearInterval(timer);
  }, []);
  const states = { idle: t`nothing to follow`, live: t`connected`, retrying: t`not connected, retrying` };
  return (
    <Page title={t`About`} summary={who?.server.hostname}>
      <Scroll label={t`About`}>
        <div className={css.about}>
          <section>
            <h2>Whimbrel {who?.server.version}</h2>
            <p className="muted">
              <Trans>A complete mail server for people who run their own mail.</Trans>
            </p>
            <Facts
              facts={[
                [t`Server`, who?.server.hostname ?? ""],
                [t`Version`, who?.server.version ?? ""],
                [t`Licence`, "AGPL-3.0-or-later"],
              ]}
            />
          </section>
          <section>
            <h2>
              <Trans>This session</Trans>
            </h2>
            <Facts
              facts={[
                [t`Signed in as`, who?.name ?? ""],
                [t`Since`, <Moment key="since" at={who?.signed_in} />],
                [t`Ends`, <Moment key="ends" at={who?.expires} />],
                [t`Protocol`, NAMES[spoken] ?? spoken],
                [t`Live data`, states[live.state]],
              ]}
            />
          </section>
          <section>
            <h2>
              <Trans>Made with</Trans>
            </h2>
            <p className="muted">
              <Trans>
                React, Mantine, TanStack Router, Query and Virtual, Lingui and uPlot (MIT); Inter by The Inter Project
                Authors (SIL Open Font License 1.1).
              </Trans>
            </p>
          </section>
        </div>
      </Scroll>
    </Page>
  );
}
