/** One act or refusal, as it is stored. Pure: the server, the units' agents and kp share it. */
export interface AuditRecord {
  /** 1, 2, 3, … without gaps, as text. */
  readonly seq: string;
  readonly at: Date;
  readonly act: string;
  readonly outcome: 'success' | 'failure';
  readonly by: string;
  readonly instanceId: string | null;
  readonly unitId: string | null;
  readonly target: string | null;
  /** Canonical JSON. */
  readonly detail: string | null;
  /** Of the request that the act was asked for in, and its method and route; null for an act of the server's own. */
  readonly correlationId: string | null;
  readonly requestPath: string | null;
  /** SHA-256, 32 bytes, over the fields of the line and the hash of the line before. */
  readonly hash: Buffer;
}

/** A place in the log: so many lines, and the hash of the last of them (GENESIS for none). */
export interface LogHead {
  readonly size: number;
  readonly root: Buffer;
}
