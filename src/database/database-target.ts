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
