//! The JSON of a znode as it is read.

use serde_json::{Map, Value};

use super::ZnodeError;
use crate::ids::BrokerId;

/// A JSON object of a znode, with accessors whose errors name that znode.
pub(super) struct Object<'a> {
    path: &'a str,
    pub(super) map: Map<String, Value>,
}

impl<'a> Object<'a> {
    pub(super) fn parse(path: &'a str, data: &[u8]) -> Result<Object<'a>, ZnodeError> {
        match serde_json::from_slice(data) {
            Ok(Value::Object(map)) => Ok(Object { path, map }),
            Ok(_) | Err(_) => {
                let reason = format!("not a JSON object: {}", excerpt(data));
                Err(ZnodeError {
                    path: path.to_owned(),
                    reason,
                })
            }
        }
    }

    pub(super) fn error(&self, reason: &str) -> ZnodeError {
        ZnodeError {
            path: self.path.to_owned(),
            reason: reason.to_owned(),
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<&str, ZnodeError> {
        self.optional_text(key)
            .ok_or_else(|| self.error(&format!("{key} is missing or not a string")))
    }

    pub(super) fn optional_text(&self, key: &str) -> Option<&str> {
        self.map.get(key).and_then(Value::as_str)
    }

    pub(super) fn int(&self, key: &str) -> Result<i32, ZnodeError> {
        let number = self
            .map
            .get(key)
            .and_then(Value::as_i64)
            .and_then(|number| i32::try_from(number).ok());
        number.ok_or_else(|| self.error(&format!("{key} is missing or not a number of 32 bits")))
    }

    pub(super) fn array(&self, key: &str) -> Result<&[Value], ZnodeError> {
        let array = self.map.get(key).and_then(Value::as_array);
        array
            .map(Vec::as_slice)
            .ok_or_else(|| self.error(&format!("{key} is missing or not an array")))
    }

    pub(super) fn object(&self, key: &str) -> Result<Option<Object<'a>>, ZnodeError> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Object {
                path: self.path,
                map: map.clone(),
            })),
            Some(_) => Err(self.error(&format!("{key} is not an object"))),
        }
    }

    pub(super) fn ids(&self, key: &str, values: &[Value]) -> Result<Vec<BrokerId>, ZnodeError> {
        let id = |value: &Value| value.as_i64().and_then(|id| i32::try_from(id).ok());
        let ids: Option<Vec<BrokerId>> = values.iter().map(id).collect();
        ids.ok_or_else(|| self.error(&format!("{key} holds something else than broker ids")))
    }

    pub(super) fn assignments(&self, key: &str) -> Result<Vec<(i32, Vec<BrokerId>)>, ZnodeError> {
        let Some(Value::Object(partitions)) = self.map.get(key) else {
            return Ok(Vec::new());
        };
        let mut assignments = Vec::with_capacity(partitions.len());
        for (number, replicas) in partitions {
            let parsed = number.parse().ok().filter(|&number: &i32| number >= 0);
            let number = parsed.ok_or_else(|| self.error(&format!("{number:?} in {key} is not a partition number")))?;
            let replicas = replicas
                .as_array()
                .ok_or_else(|| self.error(&format!("{key} does not hold arrays")))?;
            assignments.push((number, self.ids(key, replicas)?));
        }
        Ok(assignments)
    }
}

/// The first bytes of something that is not what it should be, fit for one line.
pub(super) fn excerpt(data: &[u8]) -> String {
    let shown = &data[..data.len().min(80)];
    format!(
        "{:?}{}",
        String::from_utf8_lossy(shown),
        if shown.len() < data.len() { "…" } else { "" }
    )
}
