import type { IncomingMessage } from 'node:http';

const DEPRECATED = /^(\/api\/v2\/keys\/[^/?]+)\?(.*)$/;
const ACTIONS = ['wrap', 'unwrap', 'rewrap', 'rotate', 'disable', 'enable', 'setKeyForDeletion', 'unsetKeyForDeletion'];

/** The URL to route by: `POST /keys/{id}?action=X`, which is deprecated, is the operation `/keys/{id}/actions/X`. */
export function routedUrl({ method, url = '/' }: Pick<IncomingMessage, 'method' | 'url'>): string {
  const [, path, query] = (method === 'POST' && DEPRECATED.exec(url)) || [];
  const action = query === undefined ? null : new URLSearchParams(query).get('action');
  if (path === undefined || action === null) return url;
  if (action === 'restore') return `${path}/restore`;
  return ACTIONS.includes(action) ? `${path}/actions/${action}` : url;
}
