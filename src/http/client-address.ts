import { isIPv4, isIPv6 } from 'node:net';
import type { FastifyRequest } from 'fastify';

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/**
 * Where a request came from: what the trusted proxies (KEYSTEAD_TRUSTED_PROXIES) say of it, and otherwise the other end of
 * the connection. An IPv4 address is written as one, whatever socket it came over.
 */
export function clientAddress({ ip, socket }: Pick<FastifyRequest, 'ip' | 'socket'>): string {
  const told = withoutMapping(ip);
  return isIPv4(told) || isIPv6(told) ? told : withoutMapping(socket.remoteAddress ?? '');
}

function withoutMapping(address: string): string {
  return MAPPED.exec(address)?.[1] ?? address;
}
