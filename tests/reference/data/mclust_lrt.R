# Writes mclust_lrt.json: mclust's sequential bootstrap test on faithful, and its merges by entropy.
# Rscript mclust_lrt.R OUT.json
suppressMessages(library(mclust))
nums <- function(x) paste0("[", paste(format(x, digits = 17, trim = TRUE), collapse = ", "), "]")
rows <- function(x) paste0("[", paste(apply(x, 1, nums), collapse = ", "), "]")
tests <- c()
for (m in c("EEE", "VVI", "VVV")) {
  set.seed(1)
  b <- mclustBootstrapLRT(faithful, modelName = m, nboot = 199, verbose = FALSE)
  tests <- c(tests, sprintf('    "%s": {"G": %s, "statistic": %s, "p_value": %s}',
    m, nums(b$G), nums(b$obs), nums(b$p.value)))
}
fit <- Mclust(faithful, G = 5, modelNames = "VVV", verbose = FALSE)
# mclust keeps the responsibilities of before the last M-step.
fit$z <- estep(as.matrix(faithful), "VVV", fit$parameters)$z
merged <- clustCombi(fit)
z <- fit$z
entropy <- rep(0, 5)
for (k in 5:1) {
  z <- t(merged$combiM[[k]] %*% t(z))
  entropy[k] <- -sum(ifelse(z > 0, z * log(z), 0))
}
best <- clustCombiOptim(merged)
cov <- fit$parameters$variance$sigma
cat(sprintf('{\n  "mclust": "%s",\n  "lrt": {\n%s\n  },\n  "combi": {\n', packageVersion("mclust"),
  paste(tests, collapse = ",\n")),
  sprintf('    "weights": %s,\n    "means": %s,\n', nums(fit$parameters$pro),
    rows(t(fit$parameters$mean))),
  sprintf('    "covariances": [%s],\n',
    paste(sapply(1:5, function(k) rows(cov[, , k])), collapse = ", ")),
  sprintf('    "entropy": %s,\n    "suggested": %d,\n    "counts": %s\n  }\n}\n', nums(entropy),
    best$numClusters.combi, nums(as.integer(sort(table(best$cluster.combi))))),
  file = commandArgs(TRUE)[1], sep = "")
