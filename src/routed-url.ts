import type { IncomingMessage } from 'node:http';
import { ALIBABA_ROUTE, isAlibabaRequest } from './dialects/alibaba-kms/route.js';
import { versionUrl } from './dialects/huawei-kms/route.js';
import { routedUrl as keyProtectUrl } from './dialects/key-protect/deprecated-action.js';

/**
 * The URL to route a request by. Two dialects share `/`: whatever speaks Alibaba's RPC style goes to its route, with the
 * query it has; the rest is Huawei's list of versions.
 */
export function routedUrl(request: Pick<IncomingMessage, 'method' | 'url' | 'headers'>): string {
  const { url = '/' } = request;
  return isAlibabaRequest(request) ? `${ALIBABA_ROUTE}${url.slice(1)}` : versionUrl(keyProtectUrl(request));
}
