//! Many groups at once: what takes one round trip for each alone takes one for all of them.

use redis::{FromRedisValue, Pipeline, RedisResult, pipe};

use super::link::is_of_another_type;
use super::scored::{Scored, stored};
use super::{Node, RedisStore};
use crate::store::{StoreError, StoredRule};

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
}

/// Of one group alone is what stands under its key; any other fault concerns the whole question.
fn of_one_group<T>(answer: RedisResult<T>) -> RedisResult<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if is_of_another_type(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
