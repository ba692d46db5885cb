/** Why a request failed, in the server's own words where it answered. */

export interface FieldFault {
  /** Name of the parameter, or path of the setting. */
  readonly name: string;
  readonly text: string;
  /** JSON pointer into the body (RFC 6901), where the server gives one. */
  readonly pointer?: string;
}

/** What a setting was when we read it, what we wanted it to be, and what others made of it meanwhile. */
export interface Difference {
  readonly base: Record<string, unknown>;
  readonly ours: Record<string, unknown>;
  readonly theirs: Record<string, unknown>;
}

/** A setting whose value in use is not that of the file, which somebody edited. */
export interface Edited {
  readonly path: string;
  readonly in_use: unknown;
  readonly on_disk: unknown;
}

interface ErrorBody {
  kind?: string;
  text?: string;
  fields?: FieldFault[];
  confirm?: string;
  difference?: Difference;
  differs?: Edited[];
}

/** The server refused, or could not be reached (`status` 0, `kind` "unreachable"). */
export class ApiError extends Error {
  /** In which words a text is shown: those of the language that is read, where it is not the server's. */
  static worded: (text: string) => string = (text) => text;

  readonly kind: string;
  readonly fields: readonly FieldFault[];
  /** Words that have to be typed before the server does it. */
  readonly confirm: string;
  readonly difference: Difference | undefined;
  readonly differs: readonly Edited[];

  constructor(
    readonly status: number,
    body: ErrorBody,
    /** Seconds to wait, by Retry-After; 0: not said. */
    readonly retryAfter = 0,
  ) {
    super(ApiError.worded(body.text ?? `The server answered ${status}.`));
    this.name = "ApiError";
    this.kind = body.kind ?? "failed";
    this.fields = (body.fields ?? []).map((fault) => ({ ...fault, text: ApiError.worded(fault.text) }));
    this.confirm = body.confirm ?? "";
    this.difference = body.difference;
    this.differs = body.differs ?? [];
  }

  static unreachable(cause: unknown): ApiError {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new ApiError(0, { kind: "unreachable", text: `The server cannot be reached (${why}).` });
  }

  /** Nothing was said against the request itself; the same one may succeed later. */
  get temporary(): boolean {
    return (
      this.status === 0 || this.status === 429 || this.status === 502 || this.status === 503 || this.status === 504
    );
  }
}

/** The error of an answer that is no success. */
export async function errorOf(response: Response): Promise<ApiError> {
  const retryAfter = Number(response.headers.get("retry-after") ?? 0) || 0;
  let body: ErrorBody = {};
  try {
    body = ((await response.json()) as { error?: ErrorBody }).error ?? {};
  } catch {
    // A proxy or a crash answered with something else; the status says enough.
  }
  return new ApiError(response.status, body, retryAfter);
}
