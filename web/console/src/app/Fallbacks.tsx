/** When there is no such screen, or a screen failed: the rest of the console goes on. */
import { Trans, useLingui } from "@lingui/react/macro";
import { type ErrorComponentProps, Link } from "@tanstack/react-router";
import { Failure, Notice } from "@/parts/base/Notice.tsx";
import { openPalette } from "./palette/state.ts";
import { Page } from "./Page.tsx";

export function NotFound() {
  const { t } = useLingui();
  return (
    <Page title={t`Not found`}>
      <Notice icon="search" title={<Trans>There is no screen at this address.</Trans>}>
        <p>
          <Link to="/">
            <Trans>Go to the first screen</Trans>
          </Link>
          <Trans>, or </Trans>
          <button type="button" className="link" onClick={() => openPalette()}>
            <Trans>search for what you want</Trans>
          </button>
          .
        </p>
      </Notice>
    </Page>
  );
}

export function ScreenFailed({ error, reset }: ErrorComponentProps) {
  const { t } = useLingui();
  // After an update of the server the old parts of the console are gone; the new ones come with the page.
  const said = error instanceof Error ? error.message : String(error);
  const outdated = /dynamically imported|module script|Failed to fetch/.test(said);
  return (
    <Page title={t`Failed`}>
      <Failure
        what={outdated ? t`The console on the server is a newer one.` : t`This screen failed.`}
        error={error}
        retry={outdated ? () => location.reload() : reset}
      />
    </Page>
  );
}
