/** RFC 3394 section 4.6: 256 bits of key data with a 256-bit KEK. `padded` is the same under RFC 5649, by OpenSSL. */
export const WRAPPED_KEY = {
  kek: Buffer.from('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex'),
  key: Buffer.from('00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f', 'hex'),
  blob: Buffer.from('28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21', 'hex'),
  padded: Buffer.from('4a8029243027353b0694cf1bd8fc745bb0ce8a739b19b1960b12426d4c39cfeda926d103ab34e9f6', 'hex'),
};
