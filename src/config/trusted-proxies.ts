import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { KeysteadError } from '../shared/errors.js';

/** Reads `10.0.0.1, 10.1.0.0/16, fd00::/8`: the proxies that are believed about where a request came from. CONFIG_INVALID. */
export function trustedProxiesOf(text: string): BlockList {
  const list = new BlockList();
  for (const entry of text.split(',').map((part) => part.trim())) {
    const [address = '', length, ...more] = entry.split('/');
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    const longest = family === 'ipv4' ? 32 : 128;
    const bits = length === undefined ? longest : Number(length);
    const isPrefix = Number.isInteger(bits) && bits >= 1 && bits <= longest && length !== '';
    if (!(isIPv4(address) || isIPv6(address)) || !isPrefix || more.length > 0) {
      throw new KeysteadError(
        'CONFIG_INVALID',
        `KEYSTEAD_TRUSTED_PROXIES: '${entry}' is no address or network; write 10.0.0.1 or 10.1.0.0/16, with commas between them`,
      );
    }
    list.addSubnet(address, bits, family);
  }
  return list;
}
