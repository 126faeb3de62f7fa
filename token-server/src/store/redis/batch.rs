//! Many rules at once: what takes one round trip for each alone takes one for all of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use redis::{FromRedisValue, Pipeline, RedisResult, pipe};
use rules::ExpireAt;

use super::link::is_of_another_type;
use super::score::end_of;
use super::scored::{Scored, stored};
use super::{Node, RedisStore};
use crate::store::{NewRule, StoreError, StoredRule};

impl RedisStore {
    /// The rules of several groups, in the order of the names.
    pub(super) async fn read_several(
        &self,
        groups: Vec<String>,
    ) -> Result<Vec<Result<Vec<StoredRule>, StoreError>>, StoreError> {
        let mut ranges = pipe();
        for group in &groups {
            ranges.cmd("ZRANGE").arg(self.settings.keys.rules(group)).arg(0).arg(-1).arg("WITHSCORES");
        }
        let answers: Vec<Result<Vec<Scored>, StoreError>> = self.ask_of_each(ranges).await?;
        let of = |(group, members): (&String, Result<Vec<Scored>, StoreError>)| {
            Ok(members?.into_iter().map(|scored| stored(group, scored)).collect())
        };
        Ok(groups.iter().zip(answers).map(of).collect())
    }

    /// How many rules several groups have, in the order of the names.
    pub(super) async fn count_several(
        &self,
        groups: Vec<String>,
    ) -> Result<Vec<Result<usize, StoreError>>, StoreError> {
        let mut counts = pipe();
        for group in &groups {
            counts.cmd("ZCARD").arg(self.settings.keys.rules(group));
        }
        self.ask_of_each(counts).await
    }

    /// One command for each of several groups, in one go.
    async fn ask_of_each<T: FromRedisValue>(
        &self,
        mut commands: Pipeline,
    ) -> Result<Vec<Result<T, StoreError>>, StoreError> {
        commands.ignore_errors();
        let ask = async move |mut node: Node| {
            let answers: Vec<RedisResult<T>> = commands.query_async(&mut node.connection).await?;
            answers.into_iter().map(of_one_group).collect::<RedisResult<Vec<_>>>()
        };
        let answers = self.read(ask).await?;
        Ok(answers.into_iter().map(|answer| answer.ok_or(StoreError::NotRules)).collect())
    }

    /// Writes rules in one transaction, with one message for each group. In a cluster the keys are of one slot; while that
    /// moves they may lie on two nodes, and the transaction is refused whole.
    pub(super) async fn write_all(&self, rules: Arc<[NewRule]>) -> Result<Vec<Option<ExpireAt>>, StoreError> {
        let mut change = pipe();
        for rule in rules.iter() {
            let key = self.settings.keys.rules(&rule.group);
            change.cmd("ZSCORE").arg(&key).arg(&rule.json);
            change.cmd("ZADD").arg(&key).arg(rule.expire_at.as_seconds()).arg(&rule.json).ignore();
        }
        let groups: BTreeSet<&str> = rules.iter().map(|rule| rule.group.as_str()).collect();
        for group in groups {
            change.cmd("PUBLISH").arg(self.settings.keys.changed()).arg(group).ignore();
        }
        let before: Vec<Option<String>> = self.transact(change).await?;
        Ok(before.into_iter().map(|score| Some(end_of(&score?))).collect())
    }
}

/// Of one group alone is what stands under its key; any other fault concerns the whole question.
fn of_one_group<T>(answer: RedisResult<T>) -> RedisResult<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if is_of_another_type(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
