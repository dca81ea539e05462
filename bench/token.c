/*
 * What a PKCS#11 module itself can do: five loops over session objects, without Node and without processes between.
 *   cc -O2 -o token token.c -ldl && ./token MODULE PIN SECONDS
 * Prints one JSON object: operations per second by name. PKCS#11 v2.40 types, only those that are needed.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef unsigned long ulong_t;
typedef unsigned char byte_t;
typedef struct { ulong_t type; void *value; ulong_t length; } attribute_t;
typedef struct { ulong_t mechanism; void *parameter; ulong_t length; } mechanism_t;
typedef struct { void *iv; ulong_t ivLength; ulong_t ivBits; void *aad; ulong_t aadLength; ulong_t tagBits; } gcm_t;
typedef struct { ulong_t hash; ulong_t mgf; ulong_t source; void *data; ulong_t dataLength; } oaep_t;
typedef struct { ulong_t hash; ulong_t mgf; ulong_t saltLength; } pss_t;
typedef struct { void *create; void *destroy; void *lock; void *unlock; ulong_t flags; void *reserved; } initialize_t;

enum { CKA_CLASS = 0, CKA_TOKEN = 1, CKA_KEY_TYPE = 0x100, CKA_VALUE_LEN = 0x161, CKA_MODULUS_BITS = 0x121,
  CKA_PUBLIC_EXPONENT = 0x122, CKA_ENCRYPT = 0x104, CKA_DECRYPT = 0x105, CKA_WRAP = 0x106, CKA_UNWRAP = 0x107,
  CKA_SIGN = 0x108, CKA_VERIFY = 0x10a, CKA_EXTRACTABLE = 0x162, CKA_SENSITIVE = 0x103 };
enum { CKM_RSA_KEY_PAIR_GEN = 0, CKM_RSA_OAEP = 9, CKM_SHA256_RSA_PSS = 0x43, CKM_SHA_1 = 0x220, CKM_SHA256 = 0x250,
  CKM_SHA256_HMAC = 0x251, CKM_GENERIC_KEY_GEN = 0x350, CKM_AES_KEY_GEN = 0x1080, CKM_AES_GCM = 0x1087, CKM_AES_KW = 0x2109 };

static void *library;
static ulong_t session;

#define CALL(name, ...) do { \
  static ulong_t (*function)(); \
  if (!function) *(void **)&function = dlsym(library, name); \
  if (!function) { fprintf(stderr, "the module has no %s\n", name); exit(1); } \
  ulong_t rv = function(__VA_ARGS__); \
  if (rv) { fprintf(stderr, "%s: 0x%lx\n", name, rv); exit(1); } \
} while (0)

static byte_t yes = 1, no = 0;
static ulong_t keyBytes = 32, secretKey = 4, aes = 0x1f, modulusBits = 2048;
static byte_t exponent[] = { 1, 0, 1 };
static byte_t iv[12], aad[40], data[32], sealed[128], row[300], mac[32], blob[64], digest[32], rsaOut[256];

static ulong_t generate(ulong_t mechanism) {
  attribute_t template[] = { { CKA_TOKEN, &no, 1 }, { CKA_VALUE_LEN, &keyBytes, sizeof keyBytes }, { CKA_SENSITIVE, &no, 1 },
    { CKA_EXTRACTABLE, &yes, 1 }, { CKA_ENCRYPT, &yes, 1 }, { CKA_DECRYPT, &yes, 1 }, { CKA_WRAP, &yes, 1 },
    { CKA_UNWRAP, &yes, 1 }, { CKA_SIGN, &yes, 1 }, { CKA_VERIFY, &yes, 1 } };
  mechanism_t how = { mechanism, NULL, 0 };
  ulong_t key = 0;
  CALL("C_GenerateKey", session, &how, template, 10UL, &key);
  return key;
}

static ulong_t kek, cached, macKey, publicKey, privateKey;
static ulong_t blobLength = sizeof blob, signatureLength = sizeof rsaOut;
static byte_t signature[256], encrypted[256];

static void seal(ulong_t key) {
  gcm_t parameters = { iv, 12, 96, aad, sizeof aad, 128 };
  mechanism_t how = { CKM_AES_GCM, &parameters, sizeof parameters };
  ulong_t length = sizeof sealed;
  CALL("C_EncryptInit", session, &how, key);
  CALL("C_Encrypt", session, data, (ulong_t)sizeof data, sealed, &length);
  if (length != sizeof data + 16) { fprintf(stderr, "GCM gave %lu bytes\n", length); exit(1); }
}

static void unwrapSealDestroy(void) {
  attribute_t template[] = { { CKA_CLASS, &secretKey, sizeof secretKey }, { CKA_KEY_TYPE, &aes, sizeof aes },
    { CKA_TOKEN, &no, 1 }, { CKA_ENCRYPT, &yes, 1 } };
  mechanism_t how = { CKM_AES_KW, NULL, 0 };
  ulong_t key = 0;
  CALL("C_UnwrapKey", session, &how, kek, blob, blobLength, template, 4UL, &key);
  seal(key);
  CALL("C_DestroyObject", session, key);
}

static void sealCached(void) { seal(cached); }

static void macRandomSeal(void) {
  mechanism_t how = { CKM_SHA256_HMAC, NULL, 0 };
  ulong_t length = sizeof mac;
  CALL("C_SignInit", session, &how, macKey);
  CALL("C_Sign", session, row, (ulong_t)sizeof row, mac, &length);
  CALL("C_GenerateRandom", session, iv, (ulong_t)sizeof iv);
  seal(cached);
}

static pss_t pss = { CKM_SHA256, 2, 32 };
static void rsaVerify(void) {
  mechanism_t how = { CKM_SHA256_RSA_PSS, &pss, sizeof pss };
  CALL("C_VerifyInit", session, &how, publicKey);
  CALL("C_Verify", session, digest, (ulong_t)sizeof digest, signature, signatureLength);
}

static oaep_t oaep = { CKM_SHA_1, 1, 1, NULL, 0 };
static void oaepDecrypt(void) {
  mechanism_t how = { CKM_RSA_OAEP, &oaep, sizeof oaep };
  ulong_t length = sizeof rsaOut;
  CALL("C_DecryptInit", session, &how, privateKey);
  CALL("C_Decrypt", session, encrypted, (ulong_t)sizeof encrypted, rsaOut, &length);
  if (length != sizeof data) { fprintf(stderr, "OAEP gave %lu bytes\n", length); exit(1); }
}

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec + at.tv_nsec / 1e9;
}

static double perSecond(void (*act)(void), double seconds) {
  for (int i = 0; i < 20; i++) act();
  double begun = now();
  long times = 0;
  while (now() - begun < seconds) for (int i = 0; i < 8; i++, times++) act();
  return times / (now() - begun);
}

static void makeKeys(void) {
  kek = generate(CKM_AES_KEY_GEN);
  cached = generate(CKM_AES_KEY_GEN);
  macKey = generate(CKM_GENERIC_KEY_GEN);
  mechanism_t kw = { CKM_AES_KW, NULL, 0 };
  CALL("C_WrapKey", session, &kw, kek, cached, blob, &blobLength);
  attribute_t public[] = { { CKA_TOKEN, &no, 1 }, { CKA_MODULUS_BITS, &modulusBits, sizeof modulusBits },
    { CKA_PUBLIC_EXPONENT, exponent, sizeof exponent }, { CKA_VERIFY, &yes, 1 }, { CKA_ENCRYPT, &yes, 1 } };
  attribute_t private[] = { { CKA_TOKEN, &no, 1 }, { CKA_SIGN, &yes, 1 }, { CKA_DECRYPT, &yes, 1 } };
  mechanism_t pair = { CKM_RSA_KEY_PAIR_GEN, NULL, 0 };
  CALL("C_GenerateKeyPair", session, &pair, public, 5UL, private, 3UL, &publicKey, &privateKey);
  mechanism_t sign = { CKM_SHA256_RSA_PSS, &pss, sizeof pss };
  CALL("C_SignInit", session, &sign, privateKey);
  CALL("C_Sign", session, digest, (ulong_t)sizeof digest, signature, &signatureLength);
  mechanism_t encrypt = { CKM_RSA_OAEP, &oaep, sizeof oaep };
  ulong_t length = sizeof encrypted;
  CALL("C_EncryptInit", session, &encrypt, publicKey);
  CALL("C_Encrypt", session, data, (ulong_t)sizeof data, encrypted, &length);
}

int main(int count, char **words) {
  if (count != 4) { fprintf(stderr, "token MODULE PIN SECONDS\n"); return 2; }
  library = dlopen(words[1], RTLD_NOW);
  if (!library) { fprintf(stderr, "%s\n", dlerror()); return 1; }
  initialize_t initialize = { .flags = 2 };
  CALL("C_Initialize", &initialize);
  ulong_t slots[8], slotCount = 8;
  CALL("C_GetSlotList", 1UL, slots, &slotCount);
  CALL("C_OpenSession", slots[0], 6UL, NULL, NULL, &session);
  CALL("C_Login", session, 1UL, words[2], (ulong_t)strlen(words[2]));
  makeKeys();
  double seconds = atof(words[3]);
  printf("{\"unwrap + GCM + destroy\":%.1f,", perSecond(unwrapSealDestroy, seconds));
  printf("\"GCM, cached key\":%.1f,", perSecond(sealCached, seconds));
  printf("\"row MAC + random IV + GCM\":%.1f,", perSecond(macRandomSeal, seconds));
  printf("\"RSA-2048 PSS verify\":%.1f,", perSecond(rsaVerify, seconds));
  printf("\"RSA-2048 OAEP decrypt\":%.1f}\n", perSecond(oaepDecrypt, seconds));
  CALL("C_Finalize", NULL);
  return 0;
}
