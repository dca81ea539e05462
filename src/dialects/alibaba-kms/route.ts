import type { IncomingMessage } from 'node:http';

/** Where the one route of this dialect is registered: on the wire every operation is asked of `/`. */
export const ALIBABA_ROUTE = '/alibaba-kms';

const ROOT = /^\/(?:\?(.*))?$/s;

/**
 * Whether a request for `/` speaks Alibaba's RPC style: every POST does, any other method when it names an action, in
 * its query or in the header of the newer signature.
 */
export function isAlibabaRequest({
  method,
  url = '',
  headers,
}: Pick<IncomingMessage, 'method' | 'url' | 'headers'>): boolean {
  const [path, query = ''] = ROOT.exec(url) ?? [];
  if (path === undefined) return false;
  return method === 'POST' || headers['x-acs-action'] !== undefined || /(?:^|&)Action=/.test(query);
}
