/*
 * A PKCS#11 module that stands before another one and does wrong on request: it answers with a CKR_ code, is slow, hangs,
 * dies, or flips a bit of what comes out. Everything else goes through as it is.
 *   cc -shared -fPIC -O1 -o fault.so fault.c -ldl -lpthread       FAULT_TARGET=.../libsofthsm2.so
 * What to do stands in the file "fault" beside the configuration that SOFTHSM2_CONF names, so that each agent has its own;
 * it is read at each call. Each line is a fault: FUNCTION|* ACT NUMBER TIMES SKIP, where
 *   rv NUMBER    the function answers NUMBER and is not called       flip 0   the lowest bit of its output is flipped
 *   slow NUMBER  it is called NUMBER milliseconds later              hang 0   it never answers
 *   kill 0       the process dies of SIGSEGV                         TIMES    how often; 0: always
 *   SKIP         so many calls go through first
 * The first line that is for a call is done. Each time, the function's name is appended to the file "fault-met".
 * FAULT_MOST_SESSIONS in the environment: no more sessions than that are open at a time, CKR_SESSION_COUNT for the next.
 * The functions are all passed eight words, whatever they take: on the ABIs of Linux what is not there is not looked at.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef unsigned long word;
typedef word (*function_t)(word, word, word, word, word, word, word, word);
typedef struct { unsigned char major, minor; function_t functions[68]; } list_t;

/* In the order of CK_FUNCTION_LIST, PKCS#11 v2.40; for those that put out bytes the argument that points to them. */
#define FUNCTIONS(F) \
  F(C_Initialize, 0) F(C_Finalize, 0) F(C_GetInfo, 0) F(C_GetFunctionList, 0) F(C_GetSlotList, 0) F(C_GetSlotInfo, 0) \
  F(C_GetTokenInfo, 0) F(C_GetMechanismList, 0) F(C_GetMechanismInfo, 0) F(C_InitToken, 0) F(C_InitPIN, 0) F(C_SetPIN, 0) \
  F(C_OpenSession, 0) F(C_CloseSession, 0) F(C_CloseAllSessions, 0) F(C_GetSessionInfo, 0) F(C_GetOperationState, 0) \
  F(C_SetOperationState, 0) F(C_Login, 0) F(C_Logout, 0) F(C_CreateObject, 0) F(C_CopyObject, 0) F(C_DestroyObject, 0) \
  F(C_GetObjectSize, 0) F(C_GetAttributeValue, 0) F(C_SetAttributeValue, 0) F(C_FindObjectsInit, 0) F(C_FindObjects, 0) \
  F(C_FindObjectsFinal, 0) F(C_EncryptInit, 0) F(C_Encrypt, 3) F(C_EncryptUpdate, 3) F(C_EncryptFinal, 1) F(C_DecryptInit, 0) \
  F(C_Decrypt, 3) F(C_DecryptUpdate, 3) F(C_DecryptFinal, 1) F(C_DigestInit, 0) F(C_Digest, 3) F(C_DigestUpdate, 0) \
  F(C_DigestKey, 0) F(C_DigestFinal, 1) F(C_SignInit, 0) F(C_Sign, 3) F(C_SignUpdate, 0) F(C_SignFinal, 1) \
  F(C_SignRecoverInit, 0) F(C_SignRecover, 3) F(C_VerifyInit, 0) F(C_Verify, 0) F(C_VerifyUpdate, 0) F(C_VerifyFinal, 0) \
  F(C_VerifyRecoverInit, 0) F(C_VerifyRecover, 3) F(C_DigestEncryptUpdate, 3) F(C_DecryptDigestUpdate, 3) \
  F(C_SignEncryptUpdate, 3) F(C_DecryptVerifyUpdate, 3) F(C_GenerateKey, 0) F(C_GenerateKeyPair, 0) F(C_WrapKey, 4) \
  F(C_UnwrapKey, 0) F(C_DeriveKey, 0) F(C_SeedRandom, 0) F(C_GenerateRandom, 1) F(C_GetFunctionStatus, 0) \
  F(C_CancelFunction, 0) F(C_WaitForSlotEvent, 0)

#define INDEX(name, output) I_##name,
enum { FUNCTIONS(INDEX) FUNCTION_COUNT };

#define MOST_FAULTS 8
typedef struct { char function[40], act[16]; unsigned long number; long left, skip; } fault_t;

static list_t *target;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char seen[1024];
static fault_t faults[MOST_FAULTS];
static int faultCount;

/* The path of a file beside the module's configuration; 0 where there is none. */
static int beside(const char *name, char path[4096]) {
  const char *conf = getenv("SOFTHSM2_CONF");
  const char *slash = conf ? strrchr(conf, '/') : NULL;
  return slash ? snprintf(path, 4096, "%.*s/%s", (int)(slash - conf), conf, name) : 0;
}

/* Reads the orders; counting begins again when they are others than before. */
static void readOrders(void) {
  char path[4096], orders[sizeof seen] = "";
  int file = beside("fault", path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file >= 0) {
    ssize_t length = read(file, orders, sizeof orders - 1);
    orders[length > 0 ? length : 0] = 0;
    close(file);
  }
  if (strcmp(orders, seen) == 0) return;
  strcpy(seen, orders);
  faultCount = 0;
  for (char *rest = NULL, *line = strtok_r(orders, "\n", &rest); line && faultCount < MOST_FAULTS;
       line = strtok_r(NULL, "\n", &rest)) {
    fault_t *f = &faults[faultCount];
    long times;
    if (sscanf(line, "%39s %15s %li %ld %ld", f->function, f->act, (long *)&f->number, &times, &f->skip) != 5) continue;
    f->left = times == 0 ? -1 : times;
    faultCount++;
  }
}

static void noteMet(const char *name) {
  char path[4096], line[48];
  int length = snprintf(line, sizeof line, "%s\n", name);
  int file = beside("fault-met", path) ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
  if (file < 0) return;
  if (write(file, line, length) != length) fprintf(stderr, "fault-met cannot be written\n");
  close(file);
}

/* What is to be done wrong in this call; act is empty for nothing. */
static fault_t orderedFor(const char *name) {
  fault_t found = { "", "", 0, 0, 0 };
  pthread_mutex_lock(&lock);
  readOrders();
  for (int n = 0; n < faultCount; n++) {
    fault_t *f = &faults[n];
    if (f->left == 0 || (strcmp(f->function, "*") != 0 && strcmp(f->function, name) != 0)) continue;
    if (f->skip > 0) { f->skip--; continue; }
    if (f->left > 0) f->left--;
    found = *f;
    break;
  }
  pthread_mutex_unlock(&lock);
  if (found.act[0]) noteMet(name);
  return found;
}

static void flip(int index, int output, word a[8]) {
  struct { word type; void *value; word length; } *attribute = (void *)a[2];
  unsigned char *bytes = index == I_C_GetAttributeValue ? attribute->value : output ? (void *)a[output] : NULL;
  if (bytes) *bytes ^= 1;
}

/* What a small device says when its sessions are used up. */
#define CKR_SESSION_COUNT 0xb1
static long sessions;

static int mayNotOpen(void) {
  const char *most = getenv("FAULT_MOST_SESSIONS");
  return most != NULL && __atomic_load_n(&sessions, __ATOMIC_RELAXED) >= atol(most);
}

static void countSessions(int index) {
  if (index == I_C_OpenSession) __atomic_add_fetch(&sessions, 1, __ATOMIC_RELAXED);
  if (index == I_C_CloseSession) __atomic_sub_fetch(&sessions, 1, __ATOMIC_RELAXED);
  if (index == I_C_CloseAllSessions || index == I_C_Finalize) __atomic_store_n(&sessions, 0, __ATOMIC_RELAXED);
}

static word call(int index, const char *name, int output, word a[8]) {
  function_t real = target->functions[index];
  if (index == I_C_OpenSession && mayNotOpen()) { noteMet(name); return CKR_SESSION_COUNT; }
  fault_t fault = orderedFor(name);
  if (strcmp(fault.act, "rv") == 0) return fault.number;
  if (strcmp(fault.act, "kill") == 0) raise(SIGSEGV);
  if (strcmp(fault.act, "hang") == 0) for (;;) pause();
  if (strcmp(fault.act, "slow") == 0) {
    struct timespec pause = { fault.number / 1000, (fault.number % 1000) * 1000000 };
    nanosleep(&pause, NULL);
  }
  word rv = real(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
  if (rv == 0) countSessions(index);
  if (rv == 0 && strcmp(fault.act, "flip") == 0) flip(index, output, a);
  return rv;
}

#define WRAPPER(name, output) \
  static word W_##name(word a, word b, word c, word d, word e, word f, word g, word h) { \
    word words[8] = { a, b, c, d, e, f, g, h }; \
    return call(I_##name, #name, output, words); \
  }
FUNCTIONS(WRAPPER)

#define ENTRY(name, output) W_##name,
static list_t list = { 2, 40, { FUNCTIONS(ENTRY) } };

word C_GetFunctionList(list_t **answer) {
  const char *path = getenv("FAULT_TARGET");
  void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
  word (*get)(list_t **) = library ? (word (*)(list_t **))dlsym(library, "C_GetFunctionList") : NULL;
  if (!get) { fprintf(stderr, "FAULT_TARGET names no PKCS#11 module\n"); return 5; }
  word rv = get(&target);
  *answer = &list;
  return rv;
}
