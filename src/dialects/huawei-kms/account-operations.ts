import { z } from 'zod';
import { ListKeys } from '../../keys/list-keys.query.js';
import { operation } from './operation.js';

export const USER_INSTANCES = operation({
  route: 'GET user-instances',
  request: ListKeys,
  answer: z.strictObject({ instance_num: z.int() }),
});

export const USER_QUOTAS = operation({
  route: 'GET user-quotas',
  request: ListKeys,
  answer: z.strictObject({
    quotas: z.strictObject({
      resources: z.array(z.strictObject({ type: z.enum(['CMK', 'grant_per_CMK']), used: z.int(), quota: z.int() })),
    }),
  }),
});
