/** Where the database is: a URL, or what pg calls a host (an address, or the directory of a Unix socket). */
export type DatabaseTarget =
  | { readonly url: string }
  | {
      readonly host: string;
      readonly port: number;
      readonly username: string;
      readonly password: string;
      readonly database: string;
    };

/** Where a data source that was opened on a target connects to. */
export function targetOf({ options }: { readonly options: object }): DatabaseTarget {
  const { url, host, port, username, password, database } = options as Record<string, unknown>;
  return (url === undefined ? { host, port, username, password, database } : { url }) as DatabaseTarget;
}
