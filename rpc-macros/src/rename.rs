//! `#[serde(rename_all = "…")]`: the names that serde gives to fields and variants.

/// How names are changed.
#[derive(Clone, Copy)]
pub(crate) enum Rule {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

impl Rule {
    /// The rule that serde knows by this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "lowercase" => Self::Lower,
            "UPPERCASE" => Self::Upper,
            "PascalCase" => Self::Pascal,
            "camelCase" => Self::Camel,
            "snake_case" => Self::Snake,
            "SCREAMING_SNAKE_CASE" => Self::ScreamingSnake,
            "kebab-case" => Self::Kebab,
            "SCREAMING-KEBAB-CASE" => Self::ScreamingKebab,
            _ => return None,
        })
    }

    /// `Self` is how serde renames a variant, which is written in `PascalCase`.
    pub(crate) fn variant(self, name: &str) -> String {
        match self {
            Self::Pascal => name.to_owned(),
            Self::Lower => name.to_ascii_lowercase(),
            Self::Upper => name.to_ascii_uppercase(),
            Self::Camel => lower_first(name),
            Self::Snake => snake(name),
            Self::ScreamingSnake => snake(name).to_ascii_uppercase(),
            Self::Kebab => snake(name).replace('_', "-"),
            Self::ScreamingKebab => snake(name).to_ascii_uppercase().replace('_', "-"),
        }
    }

    /// How serde renames a field, which is written in `snake_case`.
    pub(crate) fn field(self, name: &str) -> String {
        match self {
            Self::Lower | Self::Snake => name.to_owned(),
            Self::Upper | Self::ScreamingSnake => name.to_ascii_uppercase(),
            Self::Pascal => pascal(name),
            Self::Camel => lower_first(&pascal(name)),
            Self::Kebab => name.replace('_', "-"),
            Self::ScreamingKebab => name.to_ascii_uppercase().replace('_', "-"),
        }
    }
}

fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for (index, letter) in name.char_indices() {
        if index > 0 && letter.is_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn pascal(name: &str) -> String {
    let mut pascal = String::new();
    let mut capitalize = true;
    for letter in name.chars() {
        if letter == '_' {
            capitalize = true;
        } else if std::mem::take(&mut capitalize) {
            pascal.push(letter.to_ascii_uppercase());
        } else {
            pascal.push(letter);
        }
    }
    pascal
}

#[cfg(test)]
mod tests {
    use super::Rule;

    #[test]
    fn fields_and_variants_are_named_as_serde_names_them() {
        let rows = [
            ("lowercase", "row_id", "httperror"),
            ("UPPERCASE", "ROW_ID", "HTTPERROR"),
            ("PascalCase", "RowId", "HttpError"),
            ("camelCase", "rowId", "httpError"),
            ("snake_case", "row_id", "http_error"),
            ("SCREAMING_SNAKE_CASE", "ROW_ID", "HTTP_ERROR"),
            ("kebab-case", "row-id", "http-error"),
            ("SCREAMING-KEBAB-CASE", "ROW-ID", "HTTP-ERROR"),
        ];
        for (name, field, variant) in rows {
            let rule = Rule::named(name).expect("serde has this rule");
            assert_eq!(rule.field("row_id"), field);
            assert_eq!(rule.variant("HttpError"), variant);
        }
        assert!(Rule::named("Title Case").is_none());
    }
}
