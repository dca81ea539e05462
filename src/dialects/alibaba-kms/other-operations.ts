import { z } from 'zod';
import { ListKeys } from '../../keys/list-keys.query.js';
import { REGION } from './key-metadata.js';
import { type Asked, operation } from './operation.js';

export const DESCRIBE_REGIONS = operation({
  name: 'DescribeRegions',
  request: ListKeys,
  parameters: z.object({}),
  async serve(asked) {
    await assertSeesKeys(asked);
    return { Regions: { Region: [{ RegionId: REGION }] } };
  },
});

export const DESCRIBE_ACCOUNT_STATUS = operation({
  name: 'DescribeAccountKmsStatus',
  request: ListKeys,
  parameters: z.object({}),
  async serve(asked) {
    await assertSeesKeys(asked);
    return { AccountStatus: 'Enabled' };
  },
});

/** Who may not see the keys of the instance is told nothing else about it. */
async function assertSeesKeys({ by, instanceId, ask }: Asked<unknown>): Promise<void> {
  await ask(new ListKeys(by, { instanceId }, { limit: 0 }));
}
