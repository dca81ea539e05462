import { z } from 'zod';

/**
 * Where a unit's token is found. Written to unit.json in the unit's directory for the agent; holds no secret.
 * softhsm: the agent makes the token itself, in its own directory. generic: a token that somebody prepared.
 */
export const UnitDescriptor = z.strictObject({
  provider: z.enum(['softhsm', 'generic']),
  zone: z.string().min(1).max(64),
  module: z.string().min(1),
  /** Tokens are found by serial; a label serves until the serial is known. */
  serial: z.string().min(1).optional(),
  label: z.string().min(1).optional(),
  /** What the module wants in C_Initialize (NSS softokn: its configdir). */
  parameters: z.string().optional(),
  /** File that holds the user PIN of a prepared token. */
  pinFile: z.string().min(1).optional(),
  recordStore: z.enum(['token', 'file']),
});
export type UnitDescriptor = z.infer<typeof UnitDescriptor>;

/** The units file of the generic provider (KEYSTEAD_UNITS_FILE). */
export const UnitsFile = z.strictObject({
  units: z
    .array(
      z
        .strictObject({
          module: z.string().min(1),
          serial: z.string().min(1).optional(),
          label: z.string().min(1).optional(),
          zone: z.string().min(1).max(64),
          pinFile: z.string().min(1),
          parameters: z.string().optional(),
          recordStore: z.enum(['token', 'file']).default('token'),
        })
        .refine((unit) => unit.serial !== undefined || unit.label !== undefined, 'names neither serial nor label'),
    )
    .min(1),
});
